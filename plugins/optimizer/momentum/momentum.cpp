#include <lopt/plugin.h>

using namespace lopt;

/// Heavy-ball momentum (Polyak, 1964): m ← momentum·m + lr·g; p ← p − m.
class Momentum final : public Optimizer {
 public:
  explicit Momentum(Settings& s)
      : learning_rate_(s.real("learning_rate", 0.01).above(0).doc("step size")),
        momentum_(s.real("momentum", 0.9).between(0, 1).doc("share of the old step that stays in the new one")) {}

  Tree init(const Tree& params, const InitContext&) const override {
    return {{"params", params}, {"momentum", zeros_like(params)}};
  }
  Tree update(const Tree& state, const Tree& grads, const UpdateContext&) const override {
    Tree momentum = momentum_ * state["momentum"] + learning_rate_ * grads;
    return {{"params", state["params"] - momentum}, {"momentum", momentum}};
  }
  Tree params(const Tree& state) const override { return state["params"]; }

 private:
  double learning_rate_, momentum_;
};

LOPT_PLUGIN(Momentum, "momentum",
            {.summary = "Gradient descent with heavy-ball momentum",
             .paper = "Polyak, Some methods of speeding up the convergence of iteration methods, 1964"})
