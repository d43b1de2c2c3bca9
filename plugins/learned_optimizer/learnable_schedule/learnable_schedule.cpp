#include <lopt/plugin.h>
#include <lopt/schedule.h>

#include <cmath>

using namespace lopt;

namespace {

/// Steps for which the learned rate is meant.
constexpr double usual_steps = 100;

/// How many steps the problem has, a float32 scalar; one that does not say counts as 1,000.
Tensor problem_steps(const UpdateContext& context) {
  constexpr double not_known = 1000;
  const Tensor steps = schedule_context(context).steps;
  return steps ? steps : full({}, not_known);
}

/// Adam with a rate that depends on the problem's length T and on how much of it is done, x = t/T:
///   lr = e^log_lr · (100/T)^horizon_power · (1.01 − x)^decay_power,  β = 1 − e^one_minus_beta.
class Update final : public Optimizer {
 public:
  explicit Update(const Tree& theta)
      : theta_(theta), beta1_(1 - exp(theta["one_minus_beta1"])), beta2_(1 - exp(theta["one_minus_beta2"])) {}

  Tree init(const Tree& params, const InitContext&) const override {
    return {{"params", params}, {"mean", zeros_like(params)}, {"variance", zeros_like(params)}};
  }
  Tree update(const Tree& state, const Tree& gradients, const UpdateContext& context) const override {
    // Their squares are finite, and so are the derivatives by the decays.
    const Tree grads = map([](const Tensor& g) { return clamp(g, -1e15, 1e15); }, gradients);
    const Tensor t = convert(context.iteration, DType::float32) + 1;
    const Tree mean = moving_mean(state["mean"], grads, beta1_),
               variance = moving_mean(state["variance"], square(grads), beta2_);
    const Tree step = (mean / (1 - power(beta1_, t))) / (sqrt(variance / (1 - power(beta2_, t)) + 1e-16) + 1e-8);
    return {{"params", state["params"] - rate(t, context) * step}, {"mean", mean}, {"variance", variance}};
  }
  Tree params(const Tree& state) const override { return state["params"]; }

 private:
  Tensor rate(const Tensor& t, const UpdateContext& context) const {
    const Tensor steps = problem_steps(context), left = 1.01 - minimum(t / steps, 1);
    return exp(theta_["log_lr"].leaf() + theta_["horizon_power"].leaf() * log(usual_steps / steps) +
               theta_["decay_power"].leaf() * log(left));
  }

  Tree theta_;
  Tensor beta1_, beta2_;
};

}  // namespace

/// Adam with a meta-learned schedule: five weights, which are the rate, how it goes with the problem's length, how it
/// falls over the problem, and both decays.
class LearnableSchedule final : public LearnedOptimizer {
 public:
  explicit LearnableSchedule(Settings& s)
      : rate_(s.real("initial_learning_rate", 0.01)
                  .above(0)
                  .doc("rate of a problem of 100 steps, before meta-training")) {}
  Tree init(Key) const override {
    return {{"log_lr", full({}, std::log(rate_))},
            {"horizon_power", full({}, 0.5)},
            {"decay_power", full({}, 1)},
            {"one_minus_beta1", full({}, std::log(0.1))},
            {"one_minus_beta2", full({}, std::log(0.001))}};
  }
  std::unique_ptr<Optimizer> opt_fn(const Tree& theta) const override { return std::make_unique<Update>(theta); }

 private:
  double rate_;
};

LOPT_PLUGIN(
    LearnableSchedule, "learnable_schedule",
    {.summary = "Adam whose schedule and decays are learned: five weights",
     .paper = "Metz et al., Practical tradeoffs between memory, compute, and performance in learned optimizers, "
              "CoLLAs 2022 (hyper-parameters as meta-parameters)",
     .url = "https://arxiv.org/abs/2203.11860"})
