#include <lopt/plugin.h>

using namespace lopt;

/// Nesterov's momentum: v ← decay·v + g;  p ← p − learning_rate·(g + decay·v).
class MyPlugin final : public Optimizer {
 public:
  explicit MyPlugin(Settings& s)
      : learning_rate_(s.real("learning_rate", 0.01).above(0).doc("step size")),
        decay_(s.real("decay", 0.9).at_least(0).below(1).doc("share of the velocity that stays")) {}

  Tree init(const Tree& params, const InitContext&) const override {
    return {{"params", params}, {"velocity", zeros_like(params)}};
  }
  Tree update(const Tree& state, const Tree& grads, const UpdateContext&) const override {
    const Tree velocity = decay_ * state["velocity"] + grads;
    return {{"params", state["params"] - learning_rate_ * (grads + decay_ * velocity)}, {"velocity", velocity}};
  }
  Tree params(const Tree& state) const override { return state["params"]; }

 private:
  double learning_rate_, decay_;
};

LOPT_PLUGIN(MyPlugin, "my_plugin", {.summary = "Momentum that looks ahead", .paper = "Nesterov, 1983"})
