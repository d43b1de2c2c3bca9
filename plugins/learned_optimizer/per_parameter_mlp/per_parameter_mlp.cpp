#include "../step_size.h"

using namespace lopt;

namespace {

struct Form {
  Features features;
  std::vector<std::int64_t> hidden;
  std::string activation;
  StepMultipliers multipliers;
};

/// (o0, o1) = MLP(features);  p ← p − o0 · step_multiplier · exp(exp_multiplier · o1).
class Update final : public Optimizer {
 public:
  Update(Tree theta, Form form) : theta_(std::move(theta)), form_(std::move(form)) {}

  Tree init(const Tree& params, const InitContext&) const override {
    return {{"params", params}, {"accumulators", form_.features.start(params)}};
  }

  Tree update(const Tree& state, const Tree& grads, const UpdateContext& context) const override {
    const Tree accumulators = form_.features.next(state["accumulators"], grads, context);
    std::vector<Features::OfTensor> features = form_.features.of(state["params"], grads, accumulators, context);
    const std::vector<Tensor> p = state["params"].leaves();
    std::vector<Tensor> next;
    for (std::size_t i = 0; i < p.size(); ++i) {
      for (Tensor& feature : features[i].own) feature = clamp(feature, -most_feature, most_feature);
      const Tensor out = dense_network(features[i], theta_, form_.activation);
      next.push_back(p[i] - form_.multipliers.step_of(out));
    }
    return {{"params", grads.with_leaves<Tensor>(next)}, {"accumulators", accumulators}};
  }

  Tree params(const Tree& state) const override { return state["params"]; }

 private:
  Tree theta_;
  Form form_;
};

}  // namespace

/// A small network applied to each parameter by itself (Metz et al., Understanding and correcting pathologies in the
/// training of learned optimizers, 2019). By default it is the JAX tutorial's: parameter, momentum and gradient, 64
/// hidden units.
class PerParameterMlp final : public LearnedOptimizer {
 public:
  explicit PerParameterMlp(Settings& s)
      : form_{Features(s, {"parameter", "momentum", "gradient"},
                       s.real("decay", 0.9).at_least(0).below(1).doc("of a `momentum` without a decay of its own")),
              s.integers("hidden", std::vector<std::int64_t>{64}).between(1, 4096).doc("widths of the hidden layers"),
              s.text("activation", "relu").one_of(activation_names()).doc("between the layers"), StepMultipliers(s)} {}

  Tree init(Key key) const override {
    std::vector<std::int64_t> widths{form_.features.count()};
    widths.insert(widths.end(), form_.hidden.begin(), form_.hidden.end());
    widths.push_back(2);
    if (form_.hidden.size() > 1) return dense_weights(key, widths);
    // Unscaled, as the tutorial has them.
    const std::vector<Key> keys = split(key);
    return {{"w0", normal(keys[0], {widths[0], widths[1]})},
            {"b0", zeros({widths[1]})},
            {"w1", normal(keys[1], {widths[1], widths[2]})},
            {"b1", zeros({widths[2]})}};
  }

  std::unique_ptr<Optimizer> opt_fn(const Tree& theta) const override { return std::make_unique<Update>(theta, form_); }

 private:
  Form form_;
};

LOPT_PLUGIN(
    PerParameterMlp, "per_parameter_mlp",
    {.summary = "A small network on features of each parameter; by default the JAX tutorial's",
     .paper = "Metz et al., Understanding and correcting pathologies in the training of learned optimizers, ICML 2019"})
