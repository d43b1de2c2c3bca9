#pragma once
// Updates of another program, repeated: its gradients and losses are fed to a rule, and the parameters compared.

#include "estimate/inner_problem.h"

#include <string>

namespace lopt {

/// A file of updates: param_0/LEAF the start, grad_K/LEAF and loss [steps] what step K = 0, 1, … is given, param_K/LEAF
/// what the step before made of it, theta/LEAF the weights of a learned optimizer.
struct RecordedUpdates {
  std::vector<Values> params;  // one more than there are steps
  std::vector<Values> grads;
  std::vector<float> losses;
  Values theta;  // no entries where the file has none
};

/// Reads such a file. Throws DataError where a leaf is missing, has another shape than at the start, or is not finite.
RecordedUpdates read_updates(const std::string& path);

/// The θ of `types` among recorded weights. Throws DataError that names both sides where it does not fit.
Values theta_of(const RecordedUpdates& updates, const Types& types, const std::string& path);

/// Largest difference of each leaf after each step, relative to the largest element that the file has there.
struct UpdateDifferences {
  std::vector<std::string> leaves;
  std::vector<std::vector<double>> steps;  // [step][leaf]
};
UpdateDifferences replay_updates(const RecordedUpdates& updates, const OptimizerSource& optimizer, const Values& theta,
                                 std::int64_t num_steps);

}  // namespace lopt
