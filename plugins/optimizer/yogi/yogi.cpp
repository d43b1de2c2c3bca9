#include "../moments.h"

using namespace lopt;

/// Yogi (Zaheer et al., 2018): Adam whose v moves towards g² by at most (1 − β2)·g²: v ← v − (1 − β2)·sign(v − g²)·g².
class Yogi final : public MomentOptimizer {
 public:
  explicit Yogi(Settings& s)
      : MomentOptimizer(MomentSettings::of(s, 1e-3)),
        initial_(s.real("initial_accumulator", 1e-6).at_least(0).doc("what both means start at")) {}

  Tree init(const Tree& params, const InitContext&) const override { return Moments::start(params, initial_); }
  Tree update(const Tree& state, const Tree& grads, const UpdateContext& context) const override {
    // Squares are finite, so that their difference from v is a number; a gradient of 1e15 has diverged long since.
    const Tree squares = map([](const Tensor& g) { return square(clamp(g, -1e15, 1e15)); }, grads);
    Moments moments(state, grads, squares, s_);
    moments.variance = map([&](const Tensor& v, const Tensor& q) { return v - (1 - s_.beta2) * sign(v - q) * q; },
                           state["variance"], squares);
    const Tree step = s_.direction(moments.corrected_mean(s_), moments.corrected_variance(s_));
    return moments.with(stepped(state, context, step));
  }

 private:
  double initial_;
};

LOPT_PLUGIN(Yogi, "yogi",
            {.summary = "Adam whose variance moves slowly",
             .paper = "Zaheer et al., Adaptive methods for nonconvex optimization, NeurIPS 2018"})
