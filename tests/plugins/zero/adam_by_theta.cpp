// Adam's formula with a learned rate, as anybody would write it: at v = 0 the root's derivative is infinite, and its
// cotangent 0.
#include <lopt/plugin.h>

using namespace lopt;

class Rule final : public Optimizer {
 public:
  explicit Rule(const Tree& theta) : rate_(exp(theta["log_rate"])) {}
  Tree init(const Tree& params, const InitContext&) const override {
    return {{"params", params}, {"m", zeros_like(params)}, {"v", zeros_like(params)}};
  }
  Tree update(const Tree& state, const Tree& grads, const UpdateContext&) const override {
    const Tree m = 0.9 * state["m"] + 0.1 * grads, v = 0.999 * state["v"] + 0.001 * square(grads);
    return {{"params", state["params"] - rate_ * m / (sqrt(v) + Tensor(1e-8))}, {"m", m}, {"v", v}};
  }
  Tree params(const Tree& state) const override { return state["params"]; }

 private:
  Tensor rate_;
};

class AdamByTheta final : public LearnedOptimizer {
 public:
  explicit AdamByTheta(Settings& s) : log_rate_(s.real("log_rate", -5).doc("θ at the start")) {}
  Tree init(Key) const override { return {{"log_rate", full({}, log_rate_)}}; }
  std::unique_ptr<Optimizer> opt_fn(const Tree& theta) const override { return std::make_unique<Rule>(theta); }

 private:
  double log_rate_;
};

LOPT_PLUGIN(AdamByTheta, "adam_by_theta", {.summary = "Adam's formula with a learned rate"})
