#include <lopt/plugin.h>

using namespace lopt;

/// Lion: u = sign(β1·m + (1 − β1)·g), p ← p − lr·(u + decay·p), m ← β2·m + (1 − β2)·g.
class Lion final : public Optimizer {
 public:
  explicit Lion(Settings& s)
      : learning_rate_(s.rate("learning_rate", 0.0001).above(0).doc("step size")),
        beta1_(s.real("beta1", 0.9).at_least(0).below(1).doc("share of the mean in the step")),
        beta2_(s.real("beta2", 0.99).at_least(0).below(1).doc("decay of the mean of gradients")),
        decay_(s.rate("weight_decay", 0).at_least(0).doc("share of a parameter, times the step size, that goes")) {}

  Tree init(const Tree& params, const InitContext&) const override {
    return {{"params", params}, {"mean", zeros_like(params)}};
  }
  Tree update(const Tree& state, const Tree& grads, const UpdateContext& context) const override {
    const Tree direction = map([](const Tensor& u) { return sign(u); }, beta1_ * state["mean"] + (1 - beta1_) * grads);
    const Tree step = direction + decay_.at(context) * state["params"];
    return {{"params", state["params"] - learning_rate_.at(context) * step},
            {"mean", beta2_ * state["mean"] + (1 - beta2_) * grads}};
  }
  Tree params(const Tree& state) const override { return state["params"]; }

 private:
  Rate learning_rate_;
  double beta1_, beta2_;
  Rate decay_;
};

LOPT_PLUGIN(Lion, "lion",
            {.summary = "Steps by the sign of a mean of gradients",
             .paper = "Chen et al., Symbolic discovery of optimization algorithms, NeurIPS 2023",
             .url = "https://arxiv.org/abs/2302.06675"})
