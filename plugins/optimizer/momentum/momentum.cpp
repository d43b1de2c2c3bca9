#include <lopt/plugin.h>

using namespace lopt;

/// Heavy-ball momentum (Polyak, 1964): m ← momentum·m + lr·g; p ← p − m, or p − (lr·g + momentum·m) with `nesterov`
/// (Nesterov, 1983; as Sutskever et al., 2013).
class Momentum final : public Optimizer {
 public:
  explicit Momentum(Settings& s)
      : learning_rate_(s.rate("learning_rate", 0.01).above(0).doc("step size")),
        momentum_(s.real("momentum", 0.9).between(0, 1).doc("share of the old step that stays in the new one")),
        nesterov_(s.boolean("nesterov", false).doc("look a step ahead")) {}

  Tree init(const Tree& params, const InitContext&) const override {
    return {{"params", params}, {"momentum", zeros_like(params)}};
  }
  Tree update(const Tree& state, const Tree& grads, const UpdateContext& context) const override {
    const Tree step = learning_rate_.at(context) * grads;
    const Tree momentum = momentum_ * state["momentum"] + step;
    return {{"params", state["params"] - (nesterov_ ? step + momentum_ * momentum : momentum)}, {"momentum", momentum}};
  }
  Tree params(const Tree& state) const override { return state["params"]; }

 private:
  Rate learning_rate_;
  double momentum_;
  bool nesterov_;
};

LOPT_PLUGIN(Momentum, "momentum",
            {.summary = "Gradient descent with heavy-ball momentum",
             .paper = "Polyak, Some methods of speeding up the convergence of iteration methods, 1964"})
