#pragma once
// θ tried on tasks that it is not trained on, now and then during meta-training.

#include "learn/experiment.h"
#include "learn/training.h"

namespace lopt {

struct ValidationScore {
  /// Geometric mean over the tasks of the mean loss of all steps, each over that of `against` where there is one.
  /// Losses below 1e-30 count as that; infinite where a task's is not finite.
  double score = 0;
  std::vector<double> losses;  // of each task: the mean over its problems and steps
};

/// What an experiment's `validate` asks for. The problems are the same each time.
class Validation {
 public:
  Validation(const Experiment& experiment, int threads) : experiment_(experiment), threads_(threads) {}

  /// Of a whole θ. Throws Interrupted where `interrupt` says true. `baseline`: the losses of `against`, which are found
  /// where it is empty.
  ValidationScore operator()(const Values& theta, std::vector<double>& baseline,
                             const std::function<bool()>& interrupt) const;

 private:
  double loss_of(const NamedFamily& problem, const OptimizerSource& optimizer, const Values& theta, bool counted,
                 const std::function<bool()>& interrupt) const;
  double baseline_of(const NamedFamily& problem, const Comparison& against,
                     const std::function<bool()>& interrupt) const;

  const Experiment& experiment_;
  int threads_;
};

}  // namespace lopt
