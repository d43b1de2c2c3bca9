#include "../moments.h"

using namespace lopt;

/// AdaBelief (Zhuang et al., 2020): Adam whose v is of (g − m)², how far a gradient is from what is believed of it; m
/// is the mean that has it in it.
class AdaBelief final : public MomentOptimizer {
 public:
  explicit AdaBelief(Settings& s) : MomentOptimizer(MomentSettings::of(s, 1e-16, 1e-16)) {}

  Tree update(const Tree& state, const Tree& grads, const UpdateContext& context) const override {
    const Tree believed = s_.beta1 * state["mean"] + (1 - s_.beta1) * grads;
    const Moments moments(state, grads, square(grads - believed), s_);
    const Tree step = s_.direction(moments.corrected_mean(s_), moments.corrected_variance(s_));
    return moments.with(stepped(state, context, step));
  }
};

LOPT_PLUGIN(AdaBelief, "adabelief",
            {.summary = "Adam that steps far where gradients are as expected",
             .paper = "Zhuang et al., AdaBelief optimizer, NeurIPS 2020",
             .url = "https://arxiv.org/abs/2010.07468"})
