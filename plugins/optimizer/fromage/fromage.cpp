#include "../moments.h"

using namespace lopt;

/// Fromage (Bernstein et al., 2020), for each tensor: p ← (p − lr · g · ‖p‖/‖g‖) / √(1 + lr²).
class Fromage final : public Optimizer {
 public:
  explicit Fromage(Settings& s)
      : learning_rate_(s.rate("learning_rate", 0.01).above(0).doc("a step's length over the tensor's")),
        least_(s.real("least_norm", 1e-6).above(0).doc("norms are at least this")) {}

  Tree init(const Tree& params, const InitContext&) const override { return {{"params", params}}; }
  Tree update(const Tree& state, const Tree& grads, const UpdateContext& context) const override {
    const Tensor rate = learning_rate_.at(context), root = sqrt(1 + rate * rate);
    const Tree& p = state["params"];
    // p/√(1 + lr²) − p without the difference of nearly equal numbers.
    const Tree shrinkage = rate * rate / (root * (root + 1)) * p;
    return {{"params", p - rate / root * by_trust_ratio(p, grads, 1, least_) - shrinkage}};
  }
  Tree params(const Tree& state) const override { return state["params"]; }

 private:
  Rate learning_rate_;
  double least_;
};

LOPT_PLUGIN(Fromage, "fromage",
            {.summary = "Steps of a length relative to each tensor's",
             .paper = "Bernstein et al., On the distance between two neural networks and the stability of learning, "
                      "NeurIPS 2020",
             .url = "https://arxiv.org/abs/2002.03432"})
