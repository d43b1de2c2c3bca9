#include <lopt/plugin.h>

using namespace lopt;

/// Gradient descent (Robbins and Monro, 1951): p ← p − lr·g.
class Sgd final : public Optimizer {
 public:
  explicit Sgd(Settings& s) : learning_rate_(s.rate("learning_rate", 0.01).above(0).doc("step size")) {}

  Tree init(const Tree& params, const InitContext&) const override { return {{"params", params}}; }
  Tree update(const Tree& state, const Tree& grads, const UpdateContext& context) const override {
    return {{"params", state["params"] - learning_rate_.at(context) * grads}};
  }
  Tree params(const Tree& state) const override { return state["params"]; }

 private:
  Rate learning_rate_;
};

LOPT_PLUGIN(Sgd, "sgd",
            {.summary = "Gradient descent", .paper = "Robbins and Monro, A stochastic approximation method, 1951"})
