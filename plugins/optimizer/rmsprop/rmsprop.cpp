#include <lopt/plugin.h>

using namespace lopt;

/// RMSProp (Tieleman and Hinton, 2012): v ← decay·v + (1 − decay)·g², u = lr · g / √(v + ε), or lr · g / (√v + ε) where
/// ε stands outside; m ← momentum·m + u; p ← p − m, or p − (u + momentum·m) where `nesterov`.
class RmsProp final : public Optimizer {
 public:
  explicit RmsProp(Settings& s)
      : learning_rate_(s.rate("learning_rate", 0.01).above(0).doc("step size")),
        decay_(s.real("decay", 0.9).at_least(0).below(1).doc("of the mean of squared gradients")),
        epsilon_(s.real("epsilon", 1e-8).at_least(0).doc("added to the root's argument, or to the root")),
        inside_(s.boolean("epsilon_inside", true).doc("ε stands inside the root")),
        momentum_(s.real("momentum", 0).at_least(0).below(1).doc("share of the old step that stays in the new one")),
        nesterov_(s.boolean("nesterov", false).doc("look a step ahead")) {}

  Tree init(const Tree& params, const InitContext&) const override {
    return {{"params", params}, {"variance", zeros_like(params)}, {"momentum", zeros_like(params)}};
  }
  Tree update(const Tree& state, const Tree& grads, const UpdateContext& context) const override {
    const Tree variance = decay_ * state["variance"] + (1 - decay_) * square(grads);
    const Tensor rate = learning_rate_.at(context);
    const Tree step =
        map([&](const Tensor& g,
                const Tensor& v) { return rate * (inside_ ? g * rsqrt(v + epsilon_) : g / (sqrt(v) + epsilon_)); },
            grads, variance);
    const Tree momentum = step + momentum_ * state["momentum"];
    return {{"params", state["params"] - (nesterov_ ? step + momentum_ * momentum : momentum)},
            {"variance", variance},
            {"momentum", momentum}};
  }
  Tree params(const Tree& state) const override { return state["params"]; }

 private:
  Rate learning_rate_;
  double decay_, epsilon_;
  bool inside_;
  double momentum_;
  bool nesterov_;
};

LOPT_PLUGIN(RmsProp, "rmsprop",
            {.summary = "Steps over the running root mean square of the gradient",
             .paper = "Tieleman and Hinton, Lecture 6.5: rmsprop, Coursera 2012"})
