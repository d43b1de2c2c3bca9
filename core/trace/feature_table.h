#pragma once
// The features that learned optimizers may look at: a row each. Adding one is adding a row.

#include <lopt/features.h>

#include <functional>
#include <span>

namespace lopt {

/// What is kept from step to step for features.
struct Accumulator {
  enum class Kind { momentum, second_moment, factored, loss };
  Kind kind;
  double decay;
  bool operator==(const Accumulator&) const = default;
  /// "momentum 0.9": its entry in a state; a factored one has two, "row 0.9" and "column 0.9".
  std::string name() const;
};

/// One tensor of an inner problem, after the gradient went into the accumulators.
struct FeatureView {
  Tensor parameter, gradient;
  std::function<Tensor(double decay)> momentum, second_moment, loss_mean;
  std::function<FactoredMoment(double decay)> factored;
  Tensor step;      // 1, 2, …: float32
  Tensor progress;  // share of the problem's steps that are done, in (0, 1]
  Tensor length;    // the problem's steps: float32; 0: without an end

  /// What a running mean that started from zeros is to be multiplied with: 1 / (1 − decayⁿ).
  Tensor correction(double decay) const;
  /// Without the bias of those zeros.
  Tensor unbiased_momentum(double decay) const;
  Tensor unbiased_second_moment(double decay) const;
  Tensor unbiased_loss(double decay) const;
};

struct FeatureRow {
  struct Number {
    std::string name;  // as `describe` shows it
    double by_default;
  };
  std::string name;
  std::vector<Number> numbers = {};  // decays, in [0, 1)
  std::string meaning;
  int shared = 0;  // how many numbers that the whole tensor shares; 0: one for each element
  std::vector<Accumulator> (*accumulators)(std::span<const double> decays) = nullptr;  // null: none
  Tensor (*compute)(const FeatureView& view, std::span<const double> decays) = nullptr;
};
std::span<const FeatureRow> feature_table();

}  // namespace lopt
