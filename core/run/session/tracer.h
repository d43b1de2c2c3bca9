#pragma once
// --trace: everything that a run computed, for comparison with another program.

#include "learn/meta_training.h"

namespace lopt {

/// Meta-trainings: theta0_LEAF, then for each step loss_s, grad_s_LEAF and theta_{s+1}_LEAF; with lanes that go on:
/// iterations, iterations_end, end_param_LEAF [tasks, …] and end_NAME_LEAF for what else the estimator keeps.
/// Inner trainings: losses [runs, steps] and final_LEAF [runs, …].
class Tracer {
 public:
  explicit Tracer(bool enabled) : enabled_(enabled) {}
  void start(const MetaTraining& training);
  void add(const MetaStep& step);
  void finish(const MetaTraining& training, const EstimatorState& state);
  void finish(const InnerTraining& training);
  bool enabled() const { return enabled_; }
  /// What was kept until now, for a checkpoint; and from one.
  Values so_far() const;
  void restore(const Checkpoint& checkpoint);
  /// Throws std::runtime_error.
  void write(const std::string& path) const;

 private:
  void add_tree(const std::string& prefix, const Values& tree);
  bool enabled_;
  std::vector<std::pair<std::string, Array>> arrays_;
};

}  // namespace lopt
