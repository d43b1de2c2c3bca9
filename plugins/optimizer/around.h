#pragma once
// What optimizers around an optimizer have in common that keep something beside its state.

#include "due.h"

namespace lopt {

/// The inner optimizer's state is `inner` of the state; its parameters are this one's.
class Around : public OptimizerWrapper {
 public:
  explicit Around(Settings& s) : OptimizerWrapper(s.component<Optimizer>("inner").doc("what is trained with")) {}

  Tree params(const Tree& state) const override { return inner().params(state["inner"]); }
  Tree evaluation_params(const Tree& state) const override { return inner().evaluation_params(state["inner"]); }
  Tree with_params(const Tree& state, const Tree& params) const override {
    Tree moved = state;
    moved.set("inner", inner().with_params(state["inner"], params));
    return moved;
  }
};

}  // namespace lopt
