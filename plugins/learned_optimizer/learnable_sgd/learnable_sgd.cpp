#include <lopt/plugin.h>

#include <cmath>

using namespace lopt;

namespace {

/// p ← p − e^log_lr · g.
class Update final : public Optimizer {
 public:
  explicit Update(const Tree& theta) : rate_(exp(theta["log_lr"])) {}
  Tree init(const Tree& params, const InitContext&) const override { return {{"params", params}}; }
  Tree update(const Tree& state, const Tree& grads, const UpdateContext&) const override {
    return {{"params", state["params"] - rate_ * grads}};
  }
  Tree params(const Tree& state) const override { return state["params"]; }

 private:
  Tensor rate_;
};

}  // namespace

/// Gradient descent whose rate is meta-learned: one weight, its logarithm (as `LearnableSGD` of the JAX package
/// learned_optimization has it).
class LearnableSgd final : public LearnedOptimizer {
 public:
  explicit LearnableSgd(Settings& s)
      : rate_(s.real("initial_learning_rate", 0.01).above(0).doc("rate before meta-training")) {}
  Tree init(Key) const override { return {{"log_lr", full({}, std::log(rate_))}}; }
  std::unique_ptr<Optimizer> opt_fn(const Tree& theta) const override { return std::make_unique<Update>(theta); }

 private:
  double rate_;
};

LOPT_PLUGIN(
    LearnableSgd, "learnable_sgd",
    {.summary = "Gradient descent whose rate is learned: one weight",
     .paper = "Metz et al., Practical tradeoffs between memory, compute, and performance in learned optimizers, "
              "CoLLAs 2022",
     .url = "https://arxiv.org/abs/2203.11860"})
