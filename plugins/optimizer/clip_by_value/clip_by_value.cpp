#include <lopt/plugin.h>

using namespace lopt;

/// An optimizer that sees gradients whose elements are within ±value.
class ClipByValue final : public OptimizerWrapper {
 public:
  explicit ClipByValue(Settings& s)
      : OptimizerWrapper(s.component<Optimizer>("inner").doc("what is trained with")),
        value_(s.real("value", 1).above(0).doc("the largest element")) {}

  Tree update(const Tree& state, const Tree& grads, const UpdateContext& context) const override {
    return inner().update(state, map([&](const Tensor& g) { return clamp(g, -value_, value_); }, grads), context);
  }

 private:
  double value_;
};

LOPT_PLUGIN(ClipByValue, "clip_by_value", {.summary = "An optimizer with gradients of bounded elements"})
