#include <lopt/plugin.h>

using namespace lopt;

namespace {

struct Hyperparameters {
  int hidden;
  double decay, step_multiplier, exp_multiplier;
};

/// Bounds of a feature and of the step's logarithm, far beyond where a problem has diverged: products of what they bound
/// are finite, and so are the derivatives.
constexpr double most = 1e9, most_log = 20;

/// m ← decay·m + (1 − decay)·g;  (o0, o1) = MLP(p, m, g);  p ← p − o0 · step_multiplier · exp(exp_multiplier · o1).
class Update final : public Optimizer {
 public:
  Update(Tree theta, const Hyperparameters& h) : theta_(std::move(theta)), h_(h) {}

  Tree init(const Tree& params, const InitContext&) const override {
    return {{"params", params}, {"momentum", zeros_like(params)}};
  }

  Tree update(const Tree& state, const Tree& grads, const UpdateContext&) const override {
    const Tree momentum = h_.decay * state["momentum"] + (1 - h_.decay) * grads;
    const std::vector<Tensor> p = state["params"].leaves(), m = momentum.leaves(), g = grads.leaves();
    std::vector<Tensor> next;
    for (std::size_t i = 0; i < p.size(); ++i) {
      const Tensor features = clamp(stack({p[i], m[i], g[i]}, -1), -most, most);
      const Tensor hidden = relu(matmul(features, theta_["w0"]) + theta_["b0"]);
      const Tensor out = matmul(hidden, theta_["w1"]) + theta_["b1"];
      const Tensor log_size = clamp(take(out, 1, -1) * h_.exp_multiplier, -most_log, most_log);
      next.push_back(p[i] - take(out, 0, -1) * h_.step_multiplier * exp(log_size));
    }
    return {{"params", grads.with_leaves<Tensor>(next)}, {"momentum", momentum}};
  }

  Tree params(const Tree& state) const override { return state["params"]; }

 private:
  Tree theta_;
  Hyperparameters h_;
};

}  // namespace

/// A small network applied to each parameter by itself (Metz et al., Understanding and correcting pathologies in the
/// training of learned optimizers, 2019). Features: the parameter, its momentum and its gradient.
class PerParameterMlp final : public LearnedOptimizer {
 public:
  explicit PerParameterMlp(Settings& s)
      : h_{s.integer("hidden", 64).between(1, 4096).doc("width of the hidden layer"),
           s.real("decay", 0.9).between(0, 1).doc("share of the old momentum that stays"),
           s.real("step_multiplier", 0.01).above(0).doc("scale of the first output, the direction"),
           s.real("exp_multiplier", 0.01)
               .above(0)
               .doc("scale of the second output, the logarithm of the step's size")} {}

  Tree init(Key key) const override {
    const std::vector<Key> keys = split(key);
    return {{"w0", normal(keys[0], {3, h_.hidden})},
            {"b0", zeros({h_.hidden})},
            {"w1", normal(keys[1], {h_.hidden, 2})},
            {"b1", zeros({2})}};
  }

  std::unique_ptr<Optimizer> opt_fn(const Tree& theta) const override { return std::make_unique<Update>(theta, h_); }

 private:
  Hyperparameters h_;
};

LOPT_PLUGIN(
    PerParameterMlp, "per_parameter_mlp",
    {.summary = "A small network on parameter, momentum and gradient",
     .paper = "Metz et al., Understanding and correcting pathologies in the training of learned optimizers, ICML 2019"})
