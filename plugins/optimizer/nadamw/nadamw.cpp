#include "../moments.h"

using namespace lopt;

/// Adam that looks a step ahead (Dozat, 2016), with weight decay: lr_t = lr·√(1 − β2ᵗ)/(1 − β1ᵗ),
///   p ← p − lr_t · ((β1·m + (1 − β1)·g)/(√v + ε) + decay·p).
class NadamW final : public MomentOptimizer {
 public:
  explicit NadamW(Settings& s)
      : MomentOptimizer(MomentSettings::of(s)),
        decay_(s.rate("weight_decay", 0.01).at_least(0).doc("share of a parameter, times the step size, that goes")) {}

  Tree update(const Tree& state, const Tree& grads, const UpdateContext& context) const override {
    const Moments moments(state, grads, square(grads), s_);
    const Tensor rate =
        s_.learning_rate.at(context) * sqrt(1 - power(s_.beta2, moments.t)) / (1 - power(s_.beta1, moments.t));
    const Tree ahead = s_.beta1 * moments.mean + (1 - s_.beta1) * grads;
    const Tree step = s_.direction(ahead, moments.variance) + decay_.at(context) * state["params"];
    return moments.with(state["params"] - rate * step);
  }

 private:
  Rate decay_;
};

LOPT_PLUGIN(NadamW, "nadamw",
            {.summary = "Adam that looks a step ahead, with weight decay",
             .paper = "Dozat, Incorporating Nesterov momentum into Adam, ICLR workshop 2016"})
