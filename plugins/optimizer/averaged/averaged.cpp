#include "../around.h"

using namespace lopt;

/// An average of the parameters on the way, at which they are judged: with `decay` d > 0 the running mean
/// a ← d·a + (1 − d)·p over 1 − dⁿ, else the mean of all n parameters since `after` updates (Polyak and Juditsky,
/// 1992).
class Averaged final : public Around {
 public:
  explicit Averaged(Settings& s)
      : Around(s),
        decay_(s.real("decay", 0.99).at_least(0).below(1).doc("of the running mean; 0: the mean of all")),
        after_(s.integer("after", 0).at_least(0).unit("updates").doc("that do not count")) {}

  Tree init(const Tree& params, const InitContext& context) const override {
    return {
        {"inner", inner().init(params, context)}, {"average", zeros_like(params)}, {"count", zeros({}, DType::int32)}};
  }
  Tree update(const Tree& state, const Tree& grads, const UpdateContext& context) const override {
    const Tree next = inner().update(state["inner"], grads, context);
    const Tensor count = state["count"].leaf() + 1, n = counted(count), first = n > 0;
    const Tensor share = decay_ > 0 ? Tensor(1 - decay_) : 1 / maximum(n, 1);
    const Tree average =
        map([&](const Tensor& a,
                const Tensor& p) { return where(broadcast_to(first, p.shape()), (1 - share) * a + share * p, a); },
            state["average"], inner().params(next));
    return {{"inner", next}, {"average", average}, {"count", count}};
  }
  Tree evaluation_params(const Tree& state) const override {
    const Tensor n = counted(state["count"]), any = n > 0;
    const Tensor weight = decay_ > 0 ? where(any, 1 - power(decay_, n), 1) : Tensor(1);
    return map([&](const Tensor& a, const Tensor& p) { return where(broadcast_to(any, p.shape()), a / weight, p); },
               state["average"], inner().evaluation_params(state["inner"]));
  }

 private:
  /// How many parameters are in the average.
  Tensor counted(const Tensor& count) const {
    return maximum(convert(count, DType::float32) - static_cast<double>(after_), 0);
  }

  double decay_;
  std::int64_t after_;
};

LOPT_PLUGIN(Averaged, "averaged",
            {.summary = "An optimizer whose parameters are judged at their average",
             .paper = "Polyak and Juditsky, Acceleration of stochastic approximation by averaging, 1992"})
