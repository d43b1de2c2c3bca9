#include "../moments.h"

using namespace lopt;

/// LAMB (You et al., 2020), for each tensor: u = m̂/(√v̂ + ε) + decay·p, p ← p − lr · ‖p‖/‖u‖ · u.
class Lamb final : public MomentOptimizer {
 public:
  explicit Lamb(Settings& s)
      : MomentOptimizer(MomentSettings::of(s, 1e-6)),
        decay_(s.rate("weight_decay", 0).at_least(0).doc("added to Adam's direction, times the parameter")) {}

  Tree update(const Tree& state, const Tree& grads, const UpdateContext& context) const override {
    const Moments moments(state, grads, square(grads), s_);
    const Tree u =
        s_.direction(moments.corrected_mean(s_), moments.corrected_variance(s_)) + decay_.at(context) * state["params"];
    return moments.with(stepped(state, context, by_trust_ratio(state["params"], u)));
  }

 private:
  Rate decay_;
};

LOPT_PLUGIN(Lamb, "lamb",
            {.summary = "Adam whose steps are relative to each tensor's length",
             .paper = "You et al., Large batch optimization for deep learning: training BERT in 76 minutes, ICLR 2020",
             .url = "https://arxiv.org/abs/1904.00962"})
