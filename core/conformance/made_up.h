#pragma once
// Problems that are made up for checks, where the right answer is known.

#include "learn/training.h"

namespace lopt {

/// Parameters of several shapes, for optimizers under test.
Types made_up_params();
/// Values for them: normal numbers.
Values made_up_values(std::uint64_t seed);

/// A bowl: ½ Σ (p − 1)² over parameters of several shapes.
class Bowl final : public Task {
 public:
  Tree init(Key key) const override;
  Tensor loss(const Tree& params, const Tree& batch, Key key) const override;
};

/// A learned optimizer with two weights: p ← p − exp(θ_rate) g + θ_drift.
class TwoWeights final : public LearnedOptimizer {
 public:
  Tree init(Key key) const override;
  std::unique_ptr<Optimizer> opt_fn(const Tree& theta) const override;
};

/// Unrolls that cost nothing: a problem's loss is ½ |s − target|², where s is the mean of all θ that the problem has
/// seen. So d loss / dθ = θ − target for who credits every step's loss to all θ that went before it, and less for
/// others.
class QuadraticProblems final : public Unroller {
 public:
  explicit QuadraticProblems(float scale = 1) : scale_(scale) {}
  static Values theta();
  /// d loss / dθ at theta().
  static std::vector<double> gradient();

  std::vector<Lane> start(std::span<const LaneStart> starts) const override;
  Unrolled unroll(std::vector<Lane> lanes, std::span<const Values> thetas, const UnrollOptions& options) const override;
  Unrolled unroll_with_gradient(std::vector<Lane> lanes, const Values& theta, const UnrollOptions& options,
                                bool from_start, Values& gradient) const override;
  Unrolled unroll_with_tangents(std::vector<Lane> lanes, const Values& theta, const UnrollOptions& options,
                                const TangentOptions& tangents, Slopes& slopes) const override;
  Unrolled unroll_with_lane_gradients(std::vector<Lane> lanes, std::span<const Values> thetas,
                                      const UnrollOptions& options, bool from_start, std::span<const HostKey> signs,
                                      LaneGradients& gradients) const override;

 private:
  float scale_;  // of the losses; NaN makes all of them NaN
};

}  // namespace lopt
