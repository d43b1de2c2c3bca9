#include "../moments.h"

using namespace lopt;

/// Adam (Kingma and Ba, 2015), bias-corrected, t = 1, 2, …:
///   m ← β1·m + (1 − β1)·g,  v ← β2·v + (1 − β2)·g²,
///   p ← p − lr · m/(1 − β1ᵗ) / (√(v/(1 − β2ᵗ) + ε_root) + ε).
class Adam final : public MomentOptimizer {
 public:
  explicit Adam(Settings& s) : MomentOptimizer(MomentSettings::of(s)) {}

  Tree update(const Tree& state, const Tree& grads, const UpdateContext& context) const override {
    const Moments moments(state, grads, square(grads), s_);
    // The rate is corrected instead of m: of three divisions for each parameter one stays.
    const Tensor rate = s_.learning_rate.at(context) / (1 - power(s_.beta1, moments.t));
    return moments.with(state["params"] - rate * moments.mean / s_.size(moments.corrected_variance(s_)));
  }
};

LOPT_PLUGIN(Adam, "adam",
            {.summary = "Steps by running means of the gradient and its square",
             .paper = "Kingma and Ba, Adam: a method for stochastic optimization, ICLR 2015"})
