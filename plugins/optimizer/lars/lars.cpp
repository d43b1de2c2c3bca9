#include "../moments.h"

using namespace lopt;

/// LARS (You et al., 2017), for each tensor: u = g + decay·p, m ← momentum·m + lr · trust · ‖p‖/‖u‖ · u, p ← p − m.
class Lars final : public Optimizer {
 public:
  explicit Lars(Settings& s)
      : learning_rate_(s.rate("learning_rate", 0.1).above(0).doc("step size")),
        trust_(s.real("trust", 0.001).above(0).doc("a step's length over the tensor's, times the step size")),
        momentum_(s.real("momentum", 0.9).at_least(0).below(1).doc("share of the old step that stays in the new one")),
        decay_(s.rate("weight_decay", 0).at_least(0).doc("added to the gradient, times the parameter")) {}

  Tree init(const Tree& params, const InitContext&) const override {
    return {{"params", params}, {"momentum", zeros_like(params)}};
  }
  Tree update(const Tree& state, const Tree& grads, const UpdateContext& context) const override {
    const Tree u = grads + decay_.at(context) * state["params"];
    const Tree momentum =
        learning_rate_.at(context) * by_trust_ratio(state["params"], u, trust_) + momentum_ * state["momentum"];
    return {{"params", state["params"] - momentum}, {"momentum", momentum}};
  }
  Tree params(const Tree& state) const override { return state["params"]; }

 private:
  Rate learning_rate_;
  double trust_, momentum_;
  Rate decay_;
};

LOPT_PLUGIN(Lars, "lars",
            {.summary = "Momentum whose steps are relative to each tensor's length",
             .paper = "You et al., Large batch training of convolutional networks, 2017",
             .url = "https://arxiv.org/abs/1708.03888"})
