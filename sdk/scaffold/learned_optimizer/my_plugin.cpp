#include <lopt/plugin.h>

using namespace lopt;

/// Momentum with a given logarithm of the step size and a given decay before the sigmoid.
class Rule final : public Optimizer {
 public:
  explicit Rule(const Tree& theta) : step_(exp(theta["log_step"])), decay_(sigmoid(theta["decay"])) {}
  Tree init(const Tree& params, const InitContext&) const override {
    return {{"params", params}, {"momentum", zeros_like(params)}};
  }
  Tree update(const Tree& state, const Tree& grads, const UpdateContext&) const override {
    const Tree momentum = decay_ * state["momentum"] + (1 - decay_) * grads;
    return {{"params", state["params"] - step_ * momentum}, {"momentum", momentum}};
  }
  Tree params(const Tree& state) const override { return state["params"]; }

 private:
  Tensor step_, decay_;
};

/// Momentum whose step size and decay are learned: two weights.
class MyPlugin final : public LearnedOptimizer {
 public:
  explicit MyPlugin(Settings& s)
      : first_step_(s.real("first_step", 0.01).between(1e-6, 10).doc("step size before meta-training")) {}
  Tree init(Key) const override { return {{"log_step", log(full({}, first_step_))}, {"decay", full({}, 2)}}; }
  std::unique_ptr<Optimizer> opt_fn(const Tree& theta) const override { return std::make_unique<Rule>(theta); }

 private:
  double first_step_;
};

LOPT_PLUGIN(MyPlugin, "my_plugin", {.summary = "Momentum whose step size and decay are learned"})
