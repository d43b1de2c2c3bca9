#include "../celo2.h"

using namespace lopt;

namespace {

/// p ← p − lr · s / √(1e-9 + mean s²), the mean over the last two dimensions, s the network's direction.
class Update final : public celo2::Rule {
 public:
  Update(const Tree& theta, Rate rate) : Rule(theta), rate_(std::move(rate)) {}

 private:
  Tensor step_of(const Tensor& p, const Tensor& gradient, const TensorMoments& moments,
                 const UpdateContext& context) const override {
    return rate_.at(context) * celo2::normalized(direction_(p, gradient, moments));
  }

  Rate rate_;
};

}  // namespace

/// Celo2's base rule: the step of every tensor has the length that the rate says; a network of 347 weights, trained on
/// small images, says where it goes. The rate is not learned: tune it, and lower it over time.
class Celo2Base final : public LearnedOptimizer {
 public:
  explicit Celo2Base(Settings& s) : rate_(s.rate("learning_rate", 0.001).above(0).doc("root mean square of a step")) {}
  Tree init(Key key) const override { return celo2::initial_theta(key); }
  std::unique_ptr<Optimizer> opt_fn(const Tree& theta) const override { return std::make_unique<Update>(theta, rate_); }

 private:
  Rate rate_;
};

LOPT_PLUGIN(Celo2Base, "celo2_base",
            {.summary = "Celo2's base rule: normalised steps of a small network",
             .paper = "Celo2: Towards learned optimization free lunch, ICLR 2026",
             .url = "https://arxiv.org/abs/2602.19142"})
