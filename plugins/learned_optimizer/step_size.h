#pragma once
// What the networks' outputs make of a step, for the rules whose second output is the logarithm of its size.

#include <lopt/plugin.h>

namespace lopt {

/// Bounds of a feature and of the step's logarithm, far beyond where a problem has diverged: products of what they
/// bound are finite, and so are the derivatives.
inline constexpr double most_feature = 1e9, most_log_size = 20;

/// e^(multiplier · o1), of outputs [..., (o0, o1, …)].
inline Tensor step_size(const Tensor& out, double multiplier) {
  return exp(clamp(take(out, 1, -1) * multiplier, -most_log_size, most_log_size));
}

/// The scales of both outputs: step = o0 · step_multiplier · e^(exp_multiplier · o1).
struct StepMultipliers {
  double step, exponent;

  explicit StepMultipliers(Settings& s)
      : step(s.real("step_multiplier", 0.01).above(0).doc(of_step)),
        exponent(s.real("exp_multiplier", 0.01).above(0).doc(of_exponent)) {}
  /// Those of a rule of the JAX package, by the names that it gives them.
  StepMultipliers(Settings& s, const std::string& step_name, const std::string& exponent_name)
      : step(s.real(step_name, 0.001).above(0).doc(of_step)),
        exponent(s.real(exponent_name, 0.001).above(0).at_most(1).doc(of_exponent)) {}

  Tensor step_of(const Tensor& out) const { return take(out, 0, -1) * step * step_size(out, exponent); }

 private:
  static constexpr const char *of_step = "scale of the first output, the direction",
                              *of_exponent = "scale of the second output, the logarithm of the step's size";
};

}  // namespace lopt
