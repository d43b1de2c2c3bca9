#include "../moments.h"

using namespace lopt;

/// Rectified Adam (Liu et al., 2020): with ρ∞ = 2/(1 − β2) − 1 and ρ = ρ∞ − 2tβ2ᵗ/(1 − β2ᵗ), Adam's step times
/// √((ρ − 4)(ρ − 2)ρ∞ / ((ρ∞ − 4)(ρ∞ − 2)ρ)) where ρ is at least `threshold`, and lr · m̂ before.
class Radam final : public MomentOptimizer {
 public:
  explicit Radam(Settings& s)
      : MomentOptimizer(MomentSettings::of(s)),
        threshold_(s.real("threshold", 5).above(4).doc("of ρ, from which on the variance is trusted")) {}

  Tree update(const Tree& state, const Tree& grads, const UpdateContext& context) const override {
    const Moments moments(state, grads, square(grads), s_);
    const double most = 2 / (1 - s_.beta2) - 1;
    const Tensor decayed = power(s_.beta2, moments.t), rho = most - 2 * moments.t * decayed / (1 - decayed);
    const Tensor trusted = rho >= threshold_, safe = where(trusted, rho, threshold_);
    const Tensor rectified = sqrt((safe - 4) * (safe - 2) * most / ((most - 4) * (most - 2) * safe));
    const Tree mean = moments.corrected_mean(s_), adam = s_.direction(mean, moments.corrected_variance(s_));
    const Tree step =
        map([&](const Tensor& a, const Tensor& m) { return where(trusted, rectified * a, m); }, adam, mean);
    return moments.with(stepped(state, context, step));
  }

 private:
  double threshold_;
};

LOPT_PLUGIN(Radam, "radam",
            {.summary = "Adam that waits until its variance is known",
             .paper = "Liu et al., On the variance of the adaptive learning rate and beyond, ICLR 2020",
             .url = "https://arxiv.org/abs/1908.03265"})
