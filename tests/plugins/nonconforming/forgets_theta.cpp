// caught by: gradient. A part of θ works, but no gradient comes back to it.
#include <lopt/plugin.h>

class Rule final : public lopt::Optimizer {
 public:
  explicit Rule(lopt::Tree theta) : theta_(std::move(theta)) {}
  lopt::Tree init(const lopt::Tree& params, const lopt::InitContext&) const override { return {{"params", params}}; }
  lopt::Tree update(const lopt::Tree& state, const lopt::Tree& grads, const lopt::UpdateContext&) const override {
    return {{"params", state["params"] - stop_gradient(theta_["rate"]) * grads}};
  }
  lopt::Tree params(const lopt::Tree& state) const override { return state["params"]; }

 private:
  lopt::Tree theta_;
};
class Forgets final : public lopt::LearnedOptimizer {
 public:
  explicit Forgets(lopt::Settings&) {}
  lopt::Tree init(lopt::Key) const override { return {{"rate", lopt::full({}, 0.1)}}; }
  std::unique_ptr<lopt::Optimizer> opt_fn(const lopt::Tree& theta) const override {
    return std::make_unique<Rule>(theta);
  }
};
LOPT_PLUGIN(Forgets, "forgets", {.summary = "Stops the gradient of its own weight"})
