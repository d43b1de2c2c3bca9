#include "../around.h"

#include <cmath>
#include <limits>

using namespace lopt;

namespace {

Tensor is_finite(const Tensor& x) { return abs(x) < std::numeric_limits<double>::infinity(); }

}  // namespace

/// A guard around a rule that may fail. L̄ is the running mean of the loss over about `window` steps, and the least one
/// so far is remembered with the parameters of then. While L̄ does not rise above (1 + tolerance) times the least, the
/// steps are the rule's own, to the bit. Where it does, or the loss is not finite, the parameters go back to where L̄
/// was least, both rules begin anew there, and the share s of the rule falls to s²/2 (½, ⅛, 1/128, …):
///   p ← p + s · Δ_rule + (1 − s) · Δ_fallback.
/// While the loss gets less than it ever was, s doubles every `window` steps, up to 1. A gradient that is not finite
/// counts as 0.
class Guard final : public Around {
 public:
  explicit Guard(Settings& s)
      : Around(s),
        fallback_(s.component<Optimizer>("fallback", "adam").doc("whose steps come in the place of the rule's")),
        window_(s.integer("window", 10).at_least(1).unit("steps").doc("of the running mean of losses")),
        tolerance_(
            s.real("tolerance", 0.3).above(0).doc("how far above its least the mean may rise, as a share of it")) {}

  Tree init(const Tree& params, const InitContext& context) const override {
    return {{"inner", inner().init(params, context)},
            {"fallback", fallback_->init(params, context)},
            {"kept", params},
            {"share", full({}, 1)},
            {"mean", zeros({})},
            {"least", zeros({})}};
  }

  Tree update(const Tree& state, const Tree& gradients, const UpdateContext& context) const override {
    const Tree grads = map([](const Tensor& g) { return where(is_finite(g), g, 0.0); }, gradients);
    const Tensor first = context.iteration == 0, usual_mean = state["mean"].leaf();
    const Tensor can_be_used = is_finite(context.loss), loss = where(can_be_used, context.loss, usual_mean);
    const double decay = 1 - 1 / static_cast<double>(window_);
    const Tensor mean = where(first, loss, decay * usual_mean + (1 - decay) * loss),
                 least = where(first, loss, state["least"].leaf());
    const Tensor too_high = mean - least > tolerance_ * abs(least);
    const Tensor worse = too_high | logical_not(can_be_used), better = logical_not(worse) & (mean <= least);

    const Tree before = params(state), own = inner().update(state["inner"], grads, context),
               other = fallback_->update(fallback_->with_params(state["fallback"], before), grads, context);
    const Tensor old = state["share"].leaf();
    const Tensor share = where(worse, 0.5 * square(old),
                               where(better, minimum(old * std::exp2(1 / static_cast<double>(window_)), 1), old));
    const Tree of_rule = inner().params(own),
               mixed = before + share * (of_rule - before) + (1 - share) * (fallback_->params(other) - before);
    const Tree moved = chosen(worse, state["kept"], chosen(share >= 1.0, of_rule, mixed));
    // What was seen on the way is forgotten: gradients of a blown-up problem would fill the moments for long.
    const InitContext again{context.num_steps, context.key};
    return {{"inner", chosen(worse, inner().init(state["kept"], again), inner().with_params(own, moved))},
            {"fallback", chosen(worse, fallback_->init(state["kept"], again), other)},
            {"kept", chosen(first | better, before, state["kept"])},
            {"share", share},
            {"mean", where(worse, least, mean)},
            {"least", minimum(least, mean)}};
  }

 private:
  std::shared_ptr<const Optimizer> fallback_;
  std::int64_t window_;
  double tolerance_;
};

LOPT_PLUGIN(Guard, "guard",
            {.summary = "A rule that is taken back where the loss gets worse",
             .paper = "Prémont-Schwarz et al., A simple guard for learned optimizers, ICML 2022",
             .url = "https://arxiv.org/abs/2201.12426"})
