#include <lopt/plugin.h>

#include <cmath>

using namespace lopt;

namespace {

/// Adam (Kingma and Ba, 2015), t = 1, 2, …, whose numbers are weights:
///   lr = e^log_lr, β = 1 − e^one_minus_beta, ε = e^log_epsilon,
///   m ← β1·m + (1 − β1)·g,  v ← β2·v + (1 − β2)·g²,  p ← p − lr · m/(1 − β1ᵗ) / (√(v/(1 − β2ᵗ) + ε) + ε).
class Update final : public Optimizer {
 public:
  explicit Update(const Tree& theta)
      : rate_(exp(theta["log_lr"])),
        beta1_(1 - exp(theta["one_minus_beta1"])),
        beta2_(1 - exp(theta["one_minus_beta2"])),
        epsilon_(exp(theta["log_epsilon"])) {}

  Tree init(const Tree& params, const InitContext&) const override {
    return {{"params", params},
            {"mean", zeros_like(params)},
            {"variance", zeros_like(params)},
            {"count", zeros({}, DType::int32)}};
  }
  Tree update(const Tree& state, const Tree& grads, const UpdateContext&) const override {
    const Tensor count = state["count"].leaf() + 1, t = convert(count, DType::float32);
    const Tree mean = moving_mean(state["mean"], grads, beta1_),
               variance = moving_mean(state["variance"], map(bounded_square, grads), beta2_);
    const Tree step = (mean / (1 - power(beta1_, t))) / (sqrt(variance / (1 - power(beta2_, t)) + epsilon_) + epsilon_);
    return {{"params", state["params"] - rate_ * step}, {"mean", mean}, {"variance", variance}, {"count", count}};
  }
  Tree params(const Tree& state) const override { return state["params"]; }

 private:
  /// Finite, so that its derivatives by the decay are; gradients as large as 1e15 have diverged long since.
  static Tensor bounded_square(const Tensor& g) { return square(clamp(g, -1e15, 1e15)); }

  Tensor rate_, beta1_, beta2_, epsilon_;
};

}  // namespace

/// Adam whose rate, decays and ε are meta-learned: four weights, as `LearnableAdam` of the JAX package
/// learned_optimization has them; ε is inside the root and outside it.
class LearnableAdam final : public LearnedOptimizer {
 public:
  explicit LearnableAdam(Settings& s)
      : rate_(s.real("initial_learning_rate", 0.001).above(0).doc("rate before meta-training")),
        beta1_(s.real("initial_beta1", 0.9).at_least(0).below(1).doc("decay of the mean before meta-training")),
        beta2_(
            s.real("initial_beta2", 0.999).at_least(0).below(1).doc("decay of the mean square before meta-training")),
        epsilon_(s.real("initial_epsilon", 1e-8).above(0).doc("ε before meta-training")) {}
  Tree init(Key) const override {
    return {{"log_lr", full({}, std::log(rate_))},
            {"one_minus_beta1", full({}, std::log(1 - beta1_))},
            {"one_minus_beta2", full({}, std::log(1 - beta2_))},
            {"log_epsilon", full({}, std::log(epsilon_))}};
  }
  std::unique_ptr<Optimizer> opt_fn(const Tree& theta) const override { return std::make_unique<Update>(theta); }

 private:
  double rate_, beta1_, beta2_, epsilon_;
};

LOPT_PLUGIN(
    LearnableAdam, "learnable_adam",
    {.summary = "Adam whose rate, decays and ε are learned: four weights",
     .paper = "Metz et al., Practical tradeoffs between memory, compute, and performance in learned optimizers, "
              "CoLLAs 2022",
     .url = "https://arxiv.org/abs/2203.11860"})
