#include <lopt/plugin.h>

#include <cmath>

using namespace lopt;

namespace {

/// Euler's steps of dx = a (y − x), dy = x (r − z) − y, dz = x y − b z, b = 8/3, for the model (a and r by θ) and for
/// the truth. Other parameters than these two stay where they are.
class Dynamics final : public Optimizer {
 public:
  Dynamics(const Tree& theta, double a, double r, double step)
      : model_a_(exp(theta["log_a"])), model_r_(exp(theta["log_r"])), a_(a), r_(r), step_(step) {}

  Tree init(const Tree& params, const InitContext&) const override { return {{"params", params}}; }
  Tree update(const Tree& state, const Tree&, const UpdateContext&) const override {
    Tree params = state["params"];
    if (params.contains("model")) params.set("model", next(params["model"], model_a_, model_r_));
    if (params.contains("truth")) params.set("truth", next(params["truth"], full({}, a_), full({}, r_)));
    return {{"params", params}};
  }
  Tree params(const Tree& state) const override { return state["params"]; }

 private:
  Tensor next(const Tensor& s, const Tensor& a, const Tensor& r) const {
    const Tensor x = take(s, 0, 0), y = take(s, 1, 0), z = take(s, 2, 0);
    return s + step_ * stack({a * (y - x), x * (r - z) - y, x * y - (8.0 / 3) * z}, 0);
  }

  Tensor model_a_, model_r_;
  double a_, r_, step_;
};

}  // namespace

/// Lorenz's system in place of an optimizer, whose parameters a and r are θ, by their logarithms. The task `lorenz`
/// says what for.
class LorenzParameters final : public LearnedOptimizer {
 public:
  explicit LorenzParameters(Settings& s)
      : a_(s.real("a", 10).above(0).doc("a of the true system (Prandtl's number)")),
        r_(s.real("r", 28).above(0).doc("r of the true system (Rayleigh's number)")),
        start_a_(s.real("initial_a", 10).above(0).doc("a of the model before meta-training")),
        start_r_(s.real("initial_r", 28).above(0).doc("r of the model before meta-training")),
        step_(s.real("time_step", 0.005).above(0).doc("of Euler's method")) {}
  Tree init(Key) const override {
    return {{"log_a", full({}, std::log(start_a_))}, {"log_r", full({}, std::log(start_r_))}};
  }
  std::unique_ptr<Optimizer> opt_fn(const Tree& theta) const override {
    return std::make_unique<Dynamics>(theta, a_, r_, step_);
  }

 private:
  double a_, r_, start_a_, start_r_, step_;
};

LOPT_PLUGIN(LorenzParameters, "lorenz_parameters",
            {.summary = "Lorenz's system in place of an optimizer, for the task lorenz: two weights",
             .paper = "Li et al., Noise-reuse in online evolution strategies, NeurIPS 2023",
             .url = "https://arxiv.org/abs/2304.12180"})
