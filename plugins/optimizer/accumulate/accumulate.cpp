#include "../around.h"

using namespace lopt;

/// One update of the inner optimizer for every `every` gradients, with their mean and the mean of their losses. The
/// inner optimizer and its schedules count its own updates: the first is at step 0, of as many as there are.
class Accumulate final : public Around {
 public:
  explicit Accumulate(Settings& s)
      : Around(s), every_(s.integer("every").at_least(1).unit("gradients").doc("that make an update")) {}

  Tree init(const Tree& params, const InitContext& context) const override {
    return {{"inner", inner().init(params, {context.num_steps / every_, context.key})},
            {"sum", zeros_like(params)},
            {"loss", zeros({})},
            {"count", zeros({}, DType::int32)}};
  }
  Tree update(const Tree& state, const Tree& grads, const UpdateContext& context) const override {
    const Tensor count = state["count"].leaf() + 1, due = is_due(count, every_);
    const Tree sum = state["sum"] + grads;
    const Tensor losses = context.loss ? state["loss"].leaf() + context.loss : state["loss"].leaf();
    const double share = 1 / static_cast<double>(every_);
    UpdateContext own{losses * share,
                      divided(count - full({}, static_cast<double>(every_), DType::int32)),
                      context.num_steps / every_,
                      context.key,
                      {}};
    if (context.length) own.length = divided(context.length);
    const auto update = [&](const Tree& inner_state, const std::vector<Tensor>& sums) {
      return inner().update(inner_state, share * sum.with_leaves<Tensor>(sums), own);
    };
    return {{"inner", updated_if(due, state["inner"], sum.leaves(), update)},
            {"sum", chosen(due, zeros_like(sum), sum)},
            {"loss", where(due, 0, losses)},
            {"count", count}};
  }

 private:
  /// An int32 over `every`, without its remainder.
  Tensor divided(const Tensor& n) const {
    const Tensor every = full({}, static_cast<double>(every_), DType::int32);
    const Tensor whole = maximum(n, zeros({}, DType::int32));
    return convert(convert(whole - remainder(whole, every), DType::float32) / static_cast<double>(every_),
                   DType::int32);
  }

  std::int64_t every_;
};

LOPT_PLUGIN(Accumulate, "accumulate", {.summary = "One update of an optimizer for several gradients"})
