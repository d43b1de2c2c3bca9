#include <lopt/plugin.h>

using namespace lopt;

/// Decoupled weight decay around any optimizer: after its update, p ← p − decay · p before. The decay is not multiplied
/// with the optimizer's step size; give it a schedule of its own.
class WeightDecay final : public OptimizerWrapper {
 public:
  explicit WeightDecay(Settings& s)
      : OptimizerWrapper(s.component<Optimizer>("inner").doc("what is trained with")),
        decay_(s.rate("weight_decay", 0.0001).at_least(0).doc("share of a parameter that goes in an update")) {}

  Tree update(const Tree& state, const Tree& grads, const UpdateContext& context) const override {
    const Tree next = inner().update(state, grads, context);
    return inner().with_params(next, inner().params(next) - decay_.at(context) * inner().params(state));
  }

 private:
  Rate decay_;
};

LOPT_PLUGIN(WeightDecay, "weight_decay",
            {.summary = "An optimizer whose parameters shrink a little in each update",
             .paper = "Loshchilov and Hutter, Decoupled weight decay regularization, ICLR 2019",
             .url = "https://arxiv.org/abs/1711.05101"})
