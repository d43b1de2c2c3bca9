#pragma once
// Estimators beside each other at one θ: what their means miss of the true meta-gradient, and how noisy they are at
// equal cost.

#include "learn/experiment.h"

#include <functional>

namespace lopt {

/// An estimator as a spec has it.
struct ComparedEstimator {
  std::string label;
  SpecNode settings;
};

/// A number with the ends of its 95 % interval.
struct Interval {
  double value = 0, low = 0, high = 0;
};

/// What was found of one estimator. Norms are over that of the true meta-gradient.
struct EstimatorMeasure {
  std::string label;
  std::int64_t length = 0;  // steps of a problem
  Interval bias = {};       // ‖mean − truth‖, less what noise alone would make of it
  Interval noise = {};      // of as many estimates as the time of a meta-step of the spec's own estimator allows
  double cosine = 0;        // between the mean and the truth
  double seconds = 0;       // of one estimate
  int estimates = 0;
  std::string refused = {};  // why there is nothing, where there is not
};

/// The meta-gradient of whole problems, by the better of two ways.
struct TrueGradient {
  std::int64_t length = 0;
  std::string how;  // "the exact gradient of 412 problems"
  double norm = 0;
  double error = 0;  // standard error over the norm
};

struct EstimatorComparison {
  std::vector<TrueGradient> truths;        // one for each length
  std::vector<EstimatorMeasure> measures;  // by length, in the order of the estimators
  std::vector<double> reference_seconds;   // of a meta-step of the spec's own estimator, for each length

  /// √(bias² + noise²/k), k the meta-steps of the spec's own estimator that would take as long.
  static double error_after(const EstimatorMeasure& measure, double meta_steps);
};

/// The estimators that a comparison has by default: those that can be used for the spec, with the tasks, the lengths,
/// σ and clips of its own one, which comes first.
std::vector<ComparedEstimator> usual_estimators(const SpecNode& spec, Registry& registry);

/// Measures them on problems of these lengths (none: as the spec has it) within `seconds` in all. Throws SpecError
/// where the spec is no meta-training or has stages, Interrupted where `interrupt` says so. `note` is told what is
/// done.
EstimatorComparison compare_estimators(const SpecNode& spec, Registry& registry,
                                       const std::vector<ComparedEstimator>& estimators,
                                       std::vector<std::int64_t> lengths, double seconds, int threads,
                                       const std::function<bool()>& interrupt,
                                       const std::function<void(const std::string&)>& note);

}  // namespace lopt
