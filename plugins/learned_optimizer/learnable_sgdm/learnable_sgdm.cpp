#include <lopt/plugin.h>

#include <cmath>

using namespace lopt;

namespace {

/// m ← (1 − e^one_minus_momentum) · m + g;  p ← p − e^log_lr · m.
class Update final : public Optimizer {
 public:
  explicit Update(const Tree& theta) : rate_(exp(theta["log_lr"])), momentum_(1 - exp(theta["one_minus_momentum"])) {}
  Tree init(const Tree& params, const InitContext&) const override {
    return {{"params", params}, {"momentum", zeros_like(params)}};
  }
  Tree update(const Tree& state, const Tree& grads, const UpdateContext&) const override {
    const Tree momentum = momentum_ * state["momentum"] + grads;
    return {{"params", state["params"] - rate_ * momentum}, {"momentum", momentum}};
  }
  Tree params(const Tree& state) const override { return state["params"]; }

 private:
  Tensor rate_, momentum_;
};

}  // namespace

/// Heavy-ball momentum whose rate and momentum are meta-learned: two weights, as `LearnableSGDM` of the JAX package
/// learned_optimization has them.
class LearnableSgdm final : public LearnedOptimizer {
 public:
  explicit LearnableSgdm(Settings& s)
      : rate_(s.real("initial_learning_rate", 0.01).above(0).doc("rate before meta-training")),
        momentum_(s.real("initial_momentum", 0.9).at_least(0).below(1).doc("momentum before meta-training")) {}
  Tree init(Key) const override {
    return {{"log_lr", full({}, std::log(rate_))}, {"one_minus_momentum", full({}, std::log(1 - momentum_))}};
  }
  std::unique_ptr<Optimizer> opt_fn(const Tree& theta) const override { return std::make_unique<Update>(theta); }

 private:
  double rate_, momentum_;
};

LOPT_PLUGIN(
    LearnableSgdm, "learnable_sgdm",
    {.summary = "Momentum whose rate and decay are learned: two weights",
     .paper = "Metz et al., Practical tradeoffs between memory, compute, and performance in learned optimizers, "
              "CoLLAs 2022",
     .url = "https://arxiv.org/abs/2203.11860"})
