#include "../around.h"

using namespace lopt;

/// Look-ahead: every `every` updates of the inner optimizer, slow ← slow + share · (p − slow), and p begins again from
/// there; the inner optimizer's state stays. The parameters are judged at `slow`.
class LookAhead final : public Around {
 public:
  explicit LookAhead(Settings& s)
      : Around(s),
        every_(s.integer("every", 5).at_least(1).unit("updates").doc("after which the slow parameters move")),
        share_(s.real("share", 0.5).above(0).at_most(1).doc("of the way that they go")) {}

  Tree init(const Tree& params, const InitContext& context) const override {
    return {{"inner", inner().init(params, context)}, {"slow", params}, {"count", zeros({}, DType::int32)}};
  }
  Tree update(const Tree& state, const Tree& grads, const UpdateContext& context) const override {
    const Tensor count = state["count"].leaf() + 1;
    const Tree next = inner().update(state["inner"], grads, context), params = inner().params(next);
    const Tensor due = is_due(count, every_);
    const Tree slow = chosen(due, state["slow"] + share_ * (params - state["slow"]), state["slow"]);
    return {{"inner", inner().with_params(next, chosen(due, slow, params))}, {"slow", slow}, {"count", count}};
  }
  Tree evaluation_params(const Tree& state) const override { return state["slow"]; }
  Tree with_params(const Tree& state, const Tree& params) const override {
    Tree moved = Around::with_params(state, params);
    moved.set("slow", state["slow"] + (params - this->params(state)));
    return moved;
  }

 private:
  std::int64_t every_;
  double share_;
};

LOPT_PLUGIN(LookAhead, "look_ahead",
            {.summary = "Slow parameters that follow an optimizer",
             .paper = "Zhang et al., Lookahead optimizer: k steps forward, 1 step back, NeurIPS 2019",
             .url = "https://arxiv.org/abs/1907.08610"})
