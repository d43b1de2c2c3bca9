#pragma once
// What optimizers with running means of the gradient and its square have in common.

#include <lopt/plugin.h>

namespace lopt {

/// Settings of Adam and its kin.
struct MomentSettings {
  Rate learning_rate;
  double beta1, beta2, epsilon, epsilon_root;

  static MomentSettings of(Settings& s, double epsilon = 1e-8, double epsilon_root = 0, double rate = 0.001) {
    return {s.rate("learning_rate", rate).above(0).doc("step size"),
            s.real("beta1", 0.9).at_least(0).below(1).doc("decay of the mean of gradients"),
            s.real("beta2", 0.999).at_least(0).below(1).doc("decay of the mean of squares"),
            s.real("epsilon", epsilon).at_least(0).doc("added outside the root"),
            s.real("epsilon_root", epsilon_root).at_least(0).doc("added inside the root")};
  }
  /// √(v + ε_root) + ε.
  Tree size(const Tree& variance) const { return sqrt(variance + Tensor(epsilon_root)) + Tensor(epsilon); }
  /// m / (√(v + ε_root) + ε).
  Tree direction(const Tree& mean, const Tree& variance) const { return mean / size(variance); }
};

/// Running means, bias-corrected: m ← β1·m + (1 − β1)·g, v ← β2·v + (1 − β2)·q, over 1 − β1ᵗ and 1 − β2ᵗ.
struct Moments {
  Tree mean, variance;
  Tensor count, t;

  static Tree start(const Tree& params, double value = 0) {
    const auto filled = [&](const Tree& tree) {
      return map([&](const Tensor& p) { return full(p.shape(), value); }, tree);
    };
    return {
        {"params", params}, {"mean", filled(params)}, {"variance", filled(params)}, {"count", zeros({}, DType::int32)}};
  }
  /// The means after a gradient and what the second one is of.
  Moments(const Tree& state, const Tree& grads, const Tree& squares, const MomentSettings& s)
      : mean(s.beta1 * state["mean"] + (1 - s.beta1) * grads),
        variance(s.beta2 * state["variance"] + (1 - s.beta2) * squares),
        count(state["count"].leaf() + 1),
        t(convert(count, DType::float32)) {}
  Tree corrected_mean(const MomentSettings& s) const { return mean * (1 / (1 - power(s.beta1, t))); }
  Tree corrected_variance(const MomentSettings& s) const { return variance * (1 / (1 - power(s.beta2, t))); }
  Tree with(const Tree& params) const {
    return {{"params", params}, {"mean", mean}, {"variance", variance}, {"count", count}};
  }
};

/// Adam and its kin. What they do with the means is their update.
class MomentOptimizer : public Optimizer {
 public:
  Tree init(const Tree& params, const InitContext&) const override { return Moments::start(params); }
  Tree params(const Tree& state) const override { return state["params"]; }

 protected:
  explicit MomentOptimizer(const MomentSettings& s) : s_(s) {}
  /// Parameters a step on, at the rate of this update.
  Tree stepped(const Tree& state, const UpdateContext& context, const Tree& step) const {
    return state["params"] - s_.learning_rate.at(context) * step;
  }

  MomentSettings s_;
};

/// ‖p‖ / ‖u‖ of each tensor times u, where neither is 0; u elsewhere. Norms are at least `least`.
inline Tree by_trust_ratio(const Tree& params, const Tree& updates, double coefficient = 1, double least = 0) {
  return map(
      [&](const Tensor& p, const Tensor& u) {
        const Tensor of_params = maximum(norm(p), least), of_update = maximum(norm(u), least);
        const Tensor both = (of_params > 0) & (of_update > 0);
        return u * where(both, coefficient * of_params / where(both, of_update, 1), 1);
      },
      params, updates);
}

}  // namespace lopt
