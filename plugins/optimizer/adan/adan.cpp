#include "../moments.h"

using namespace lopt;

/// Adan: with d = g − g of the update before (0 at the first),
///   m ← β1·m + (1 − β1)·g, v ← β2·v + (1 − β2)·d, n ← β3·n + (1 − β3)·(g + β2·d)², each over 1 − βᵗ,
///   p ← (p − lr · (m + β2·v) / (√(n + ε_root) + ε)) / (1 + lr·decay).
class Adan final : public Optimizer {
 public:
  explicit Adan(Settings& s)
      : learning_rate_(s.rate("learning_rate", 0.001).above(0).doc("step size")),
        beta1_(s.real("beta1", 0.98).at_least(0).below(1).doc("decay of the mean of gradients")),
        beta2_(s.real("beta2", 0.92).at_least(0).below(1).doc("decay of the mean of their differences")),
        beta3_(s.real("beta3", 0.99).at_least(0).below(1).doc("decay of the mean of squares")),
        epsilon_(s.real("epsilon", 1e-8).at_least(0).doc("added outside the root")),
        epsilon_root_(s.real("epsilon_root", 0).at_least(0).doc("added inside the root")),
        decay_(s.rate("weight_decay", 0).at_least(0).doc("a step's end is divided by 1 + this times the step size")) {}

  Tree init(const Tree& params, const InitContext&) const override {
    const Tree nothing = zeros_like(params);
    return {{"params", params},    {"mean", nothing},   {"difference", nothing},
            {"variance", nothing}, {"before", nothing}, {"count", zeros({}, DType::int32)}};
  }
  Tree update(const Tree& state, const Tree& grads, const UpdateContext& context) const override {
    const Tensor count = state["count"].leaf() + 1, t = convert(count, DType::float32),
                 rate = learning_rate_.at(context);
    const Tree change = map(
        [&](const Tensor& g, const Tensor& before) { return where(broadcast_to(count > 1, g.shape()), g - before, 0); },
        grads, state["before"]);
    const Tree mean = beta1_ * state["mean"] + (1 - beta1_) * grads,
               difference = beta2_ * state["difference"] + (1 - beta2_) * change,
               variance = beta3_ * state["variance"] + (1 - beta3_) * square(grads + beta2_ * change);
    const Tree ahead = mean * (1 / (1 - power(beta1_, t))) + difference * (beta2_ / (1 - power(beta2_, t)));
    const Tree size = sqrt(variance * (1 / (1 - power(beta3_, t))) + Tensor(epsilon_root_)) + Tensor(epsilon_);
    return {{"params", (state["params"] - rate * (ahead / size)) * (1 / (1 + rate * decay_.at(context)))},
            {"mean", mean},
            {"difference", difference},
            {"variance", variance},
            {"before", grads},
            {"count", count}};
  }
  Tree params(const Tree& state) const override { return state["params"]; }

 private:
  Rate learning_rate_;
  double beta1_, beta2_, beta3_, epsilon_, epsilon_root_;
  Rate decay_;
};

LOPT_PLUGIN(Adan, "adan",
            {.summary = "Adam with Nesterov's look ahead by differences of gradients",
             .paper = "Xie et al., Adan: adaptive Nesterov momentum algorithm, TPAMI 2024",
             .url = "https://arxiv.org/abs/2208.06677"})
