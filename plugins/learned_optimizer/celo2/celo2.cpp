#include "../celo2.h"

using namespace lopt;

namespace {

constexpr double beta1 = 0.9, beta2 = 0.95, adam_rate = 20;

struct Rates {
  Rate learning_rate, weight_decay;
};

/// Of matrices: p ← p − lr · normalised(orthogonalised(s)), s the network's direction. Of vectors and scalars, Adam
/// without bias correction: m ← β1·m + (1 − β1)·g, v ← β2·v + (1 − β2)·g², p ← p − 20 · lr · m / √(v + 1e-8). Weight
/// decay is decoupled: p ← p − lr · decay · p.
class Update final : public celo2::Rule {
 public:
  Update(const Tree& theta, Rates rates) : Rule(theta), rates_(std::move(rates)) {}

 private:
  Tensor step_of(const Tensor& p, const Tensor& gradient, const TensorMoments& moments,
                 const UpdateContext& context) const override {
    // The first momentum and the second moment decay as Adam's do here.
    static_assert(TensorMoments::decays[0] == beta1 && celo2::size_decay == beta2);
    const Tensor step = p.rank() >= 2 ? celo2::normalized(newton_schulz(direction_(p, gradient, moments), 5, 1e-8))
                                      : adam_rate * moments.momenta[0] * rsqrt(moments.size + 1e-8);
    return rates_.learning_rate.at(context) * (step + rates_.weight_decay.at(context) * p);
  }

  Rates rates_;
};

}  // namespace

/// Celo2: the base rule's directions of matrices made orthogonal, Adam for the rest. The rate is not learned: tune it,
/// and lower it over time.
class Celo2 final : public LearnedOptimizer {
 public:
  explicit Celo2(Settings& s)
      : rates_{s.rate("learning_rate", 0.001)
                   .above(0)
                   .doc("root mean square of a matrix's step; Adam's rate is 20 times it"),
               s.rate("weight_decay", 0).at_least(0).doc("decoupled: times the rate, of each parameter a step")} {}
  Tree init(Key key) const override { return celo2::initial_theta(key); }
  std::unique_ptr<Optimizer> opt_fn(const Tree& theta) const override {
    return std::make_unique<Update>(theta, rates_);
  }

 private:
  Rates rates_;
};

LOPT_PLUGIN(Celo2, "celo2",
            {.summary = "Celo2: orthogonal steps of a small network, Adam for vectors",
             .paper = "Celo2: Towards learned optimization free lunch, ICLR 2026",
             .url = "https://arxiv.org/abs/2602.19142"})
