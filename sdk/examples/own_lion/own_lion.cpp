#include <lopt/plugin.h>

using namespace lopt;

/// Lion (Chen et al., Symbolic discovery of optimization algorithms, 2023): steps of one size in the direction of the
/// sign of an interpolated momentum, with decoupled weight decay.
///   p ← p − learning_rate · (sign(beta1·m + (1 − beta1)·g) + weight_decay·p);  m ← beta2·m + (1 − beta2)·g
class Lion final : public Optimizer {
 public:
  explicit Lion(Settings& s)
      : learning_rate_(s.real("learning_rate", 1e-3).above(0).doc("step size")),
        beta1_(s.real("beta1", 0.9).at_least(0).below(1).doc("share of the momentum in the direction")),
        beta2_(s.real("beta2", 0.99).at_least(0).below(1).doc("share of the momentum that stays")),
        weight_decay_(s.real("weight_decay", 0).at_least(0).doc("pull towards zero")) {}

  Tree init(const Tree& params, const InitContext&) const override {
    return {{"params", params}, {"momentum", zeros_like(params)}};
  }

  Tree update(const Tree& state, const Tree& grads, const UpdateContext&) const override {
    const Tree &p = state["params"], &m = state["momentum"];
    const Tree direction = map([](const Tensor& x) { return sign(x); }, beta1_ * m + (1 - beta1_) * grads);
    return {{"params", p - learning_rate_ * (direction + weight_decay_ * p)},
            {"momentum", beta2_ * m + (1 - beta2_) * grads}};
  }

  Tree params(const Tree& state) const override { return state["params"]; }

 private:
  double learning_rate_, beta1_, beta2_, weight_decay_;
};

LOPT_PLUGIN(Lion, "own_lion",
            {.summary = "Sign of an interpolated momentum, with decoupled weight decay",
             .paper = "Chen et al., Symbolic discovery of optimization algorithms, 2023",
             .url = "https://arxiv.org/abs/2302.06675"})
