#include <lopt/plugin.h>

using namespace lopt;

/// Schedule-free learning: an average takes the place of a schedule. With γ the `learning_rate` of this update, the
/// gradient g at y = (1 − β)·z + β·x, and c = γ² / Σγ²,
///   z ← z − γ·(g + decay·y) for sgd, z ← z − γ·(g / (√(v + ε_root) + ε) + decay·y) for adam, x ← (1 − c)·x + c·z,
/// where v ← β2·v + (1 − β2)·g², and adam's γ is the rate times √(1 − β2ᵗ). The parameters are judged at x.
class ScheduleFree final : public Optimizer {
 public:
  explicit ScheduleFree(Settings& s)
      : adam_(std::string(s.text("base", "adam").one_of({"sgd", "adam"}).doc("what the steps of z are")) == "adam"),
        learning_rate_(s.rate("learning_rate", 0.0025).above(0).doc("step size; sgd wants about 1")),
        beta_(s.real("beta1", 0.9).at_least(0).below(1).doc("β, the share of the average where gradients are taken")),
        beta2_(s.real("beta2", 0.999).at_least(0).below(1).doc("adam's decay of the mean of squares")),
        epsilon_(s.real("epsilon", 1e-8).at_least(0).doc("added outside adam's root")),
        epsilon_root_(s.real("epsilon_root", 0).at_least(0).doc("added inside it")),
        decay_(s.rate("weight_decay", 0).at_least(0).doc("share of a parameter, times the step size, that goes")) {}

  Tree init(const Tree& params, const InitContext&) const override {
    Tree state{{"x", params}, {"z", params}, {"weights", zeros({})}, {"count", zeros({}, DType::int32)}};
    if (adam_) state.set("variance", zeros_like(params));
    return state;
  }
  Tree update(const Tree& state, const Tree& grads, const UpdateContext& context) const override {
    const Tensor count = state["count"].leaf() + 1;
    Tensor rate = learning_rate_.at(context);
    Tree next = state, step = grads;
    next.set("count", count);
    if (adam_) {
      rate = rate * sqrt(1 - power(beta2_, convert(count, DType::float32)));
      next.set("variance", beta2_ * state["variance"] + (1 - beta2_) * square(grads));
      step = grads / (sqrt(next["variance"] + Tensor(epsilon_root_)) + Tensor(epsilon_));
    }
    const Tensor weights = state["weights"].leaf() + square(rate);
    const Tensor share = where(weights > 0, square(rate) / where(weights > 0, weights, 1), 0);
    const Tree z = state["z"] - rate * (step + decay_.at(context) * params(state));
    next.set("z", z);
    next.set("x", (1 - share) * state["x"] + share * z);
    next.set("weights", weights);
    return next;
  }
  Tree params(const Tree& state) const override { return state["x"] + (1 - beta_) * (state["z"] - state["x"]); }
  Tree evaluation_params(const Tree& state) const override { return state["x"]; }
  /// z and x are moved alike.
  Tree with_params(const Tree& state, const Tree& params) const override {
    const Tree move = params - this->params(state);
    Tree moved = state;
    moved.set("z", state["z"] + move);
    moved.set("x", state["x"] + move);
    return moved;
  }

 private:
  bool adam_;
  Rate learning_rate_;
  double beta_, beta2_, epsilon_, epsilon_root_;
  Rate decay_;
};

LOPT_PLUGIN(ScheduleFree, "schedule_free",
            {.summary = "An average in place of a schedule, with SGD or Adam",
             .paper = "Defazio et al., The road less scheduled, NeurIPS 2024",
             .url = "https://arxiv.org/abs/2405.15682"})
