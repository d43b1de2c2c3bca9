#pragma once
// Losses of another optimizer on the members of a family, which those of inner problems are divided by.

#include <lopt/estimator.h>

#include <vector>

namespace lopt {

class BaselineLosses {
 public:
  /// By step: what a loss is divided by is the other's at the same step, else its mean over a problem as long.
  explicit BaselineLosses(bool by_step) : by_step_(by_step) {}

  /// `losses`: of each member, by step. Each is smoothed, since batches differ: the mean of the logarithms of the steps
  /// around, a tenth of the way to each side.
  void fill(const std::vector<std::vector<float>>& losses);
  bool filled() const { return !losses_.empty(); }
  /// What a loss of this lane's problem is divided by at its iteration: above 0 and finite.
  float scale(const Lane& lane) const;
  /// By member, as they were filled in and smoothed; for a checkpoint.
  const std::vector<std::vector<float>>& losses() const { return losses_; }
  /// As losses() gave them.
  void restore(std::vector<std::vector<float>> losses);

 private:
  bool by_step_;
  std::vector<std::vector<float>> losses_, means_;  // means_[member][k]: over the first k + 1 steps
};

}  // namespace lopt
