#include "../accumulators.h"

using namespace lopt;

namespace {

/// What the network sees by default: what a step is made of, and where the problem stands.
const std::vector<std::string> default_features{
    "scaled_gradient", "adam 0.5",    "adam 0.9", "adam 0.99", "normalized parameter", "moment_ratio", "tensor_rms",
    "tensor_size",     "tensor_kind", "progress", "log_step",  "loss_trend",           "alignment"};
/// Directions that the correction is made of, and Adam's, by which it finds the optimizer's rate.
const std::vector<std::string> directions{"adam 0.99", "scaled_gradient", "adam 0.9"};

struct Form {
  std::shared_ptr<const Optimizer> optimizer;
  Features features, directions;
  std::vector<std::int64_t> hidden;
  std::string activation;
  double bound;
};

class Update final : public Optimizer {
 public:
  Update(Tree theta, Form form) : theta_(std::move(theta)), form_(std::move(form)) {}

  Tree init(const Tree& params, const InitContext& context) const override {
    return {{"optimizer", form_.optimizer->init(params, context)},
            {"accumulators", with_entries(form_.features.start(params), form_.directions.start(params))}};
  }

  Tree update(const Tree& state, const Tree& gradients, const UpdateContext& context) const override {
    // Their squares are finite, and so are the derivatives; a gradient of 1e15 has diverged long since.
    const Tree grads = map([](const Tensor& g) { return clamp(g, -1e15, 1e15); }, gradients);
    const Tree& old = state["accumulators"];
    const Tree accumulators =
        with_entries(form_.features.next(old, grads, context), form_.directions.next(old, grads, context));
    const Tree before = params(state), stepped = form_.optimizer->update(state["optimizer"], grads, context);
    const auto features = form_.features.of(before, grads, accumulators, context),
               towards = form_.directions.of(before, grads, accumulators, context);
    const std::vector<Tensor> p = before.leaves(), after = form_.optimizer->params(stepped).leaves();
    std::vector<Tensor> corrected;
    for (std::size_t i = 0; i < p.size(); ++i)
      corrected.push_back(after[i] + correction(after[i] - p[i], features[i], towards[i].own));
    const Tree next = grads.with_leaves<Tensor>(corrected);
    return {{"optimizer", form_.optimizer->with_params(stepped, next)}, {"accumulators", accumulators}};
  }

  /// A loss that is always 0 has no trend.
  bool can_do_without_loss() const override { return true; }
  Tree params(const Tree& state) const override { return form_.optimizer->params(state["optimizer"]); }
  Tree with_params(const Tree& state, const Tree& params) const override {
    return {{"optimizer", form_.optimizer->with_params(state["optimizer"], params)},
            {"accumulators", state["accumulators"]}};
  }

 private:
  Tensor correction(const Tensor& step, const Features::OfTensor& features, const std::vector<Tensor>& towards) const {
    const Tensor out = dense_network(features, theta_, form_.activation);
    const auto output = [&](std::int64_t index) { return take(out, index, -1); };
    const Tensor factor = exp(form_.bound * tanh(0.5 * output(0)));
    const Tensor rate = rms(step) / (rms(towards[2]) + 1e-8);
    return (factor - 1) * step - factor * rate * (tanh(output(1)) * towards[0] + tanh(output(2)) * towards[1]);
  }

  Tree theta_;
  Form form_;
};

}  // namespace

/// An optimizer and a learned, bounded correction to it. s is the optimizer's step, M = m₀.₉₉/√v and G = g/√v, r the
/// optimizer's rate as Adam's direction measures it, rms(s) / rms(m₀.₉/√v); (a, b, c) come from a network on features
/// of each parameter:
///   f = e^(bound · tanh(a/2)),  p ← p + f · (s − r · (tanh(b) · M + tanh(c) · G)).
/// The network's last layer starts at 0, so that before meta-training the updates are the optimizer's own.
class Hybrid final : public LearnedOptimizer {
 public:
  explicit Hybrid(Settings& s)
      : form_{
            s.component<Optimizer>("optimizer", "adam").doc("what is corrected"),
            Features(s, default_features),
            Features(directions),
            s.integers("hidden", std::vector<std::int64_t>{16, 16}).between(1, 4096).doc("widths of the hidden layers"),
            s.text("activation", "relu").one_of(activation_names()).doc("between the layers"),
            s.real("bound", 2.3)
                .above(0)
                .at_most(10)
                .doc("of the log of the factor on the step: 2.3 is 1/10 to 10 times")} {}

  Tree init(Key key) const override {
    std::vector<std::int64_t> widths{form_.features.count()};
    widths.insert(widths.end(), form_.hidden.begin(), form_.hidden.end());
    widths.push_back(3);
    return dense_weights(key, widths, LastLayer::zero);
  }

  std::unique_ptr<Optimizer> opt_fn(const Tree& theta) const override { return std::make_unique<Update>(theta, form_); }

 private:
  Form form_;
};

LOPT_PLUGIN(Hybrid, "hybrid",
            {.summary = "Any optimizer and a learned, bounded correction that starts at nothing",
             .paper = "Prémont-Schwarz et al., A simple guard for learned optimizers, ICML 2022 (on keeping a learned "
                      "optimizer near one that is known)",
             .url = "https://arxiv.org/abs/2201.12426"})
