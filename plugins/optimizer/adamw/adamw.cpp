#include "../moments.h"

using namespace lopt;

/// Adam with decoupled weight decay (Loshchilov and Hutter, 2019): p ← p − lr · (m̂/(√v̂ + ε) + decay·p).
class AdamW final : public MomentOptimizer {
 public:
  explicit AdamW(Settings& s)
      : MomentOptimizer(MomentSettings::of(s)),
        decay_(s.rate("weight_decay", 0.01).at_least(0).doc("share of a parameter, times the step size, that goes")) {}

  Tree update(const Tree& state, const Tree& grads, const UpdateContext& context) const override {
    const Moments moments(state, grads, square(grads), s_);
    const Tree step =
        s_.direction(moments.corrected_mean(s_), moments.corrected_variance(s_)) + decay_.at(context) * state["params"];
    return moments.with(stepped(state, context, step));
  }

 private:
  Rate decay_;
};

LOPT_PLUGIN(AdamW, "adamw",
            {.summary = "Adam with decoupled weight decay",
             .paper = "Loshchilov and Hutter, Decoupled weight decay regularization, ICLR 2019",
             .url = "https://arxiv.org/abs/1711.05101"})
