#pragma once
// What a meta-step does to θ: the rules for meta-gradients, and then the meta-optimizer.

#include "execute/executor.h"
#include "learn/experiment.h"

#include <memory>

namespace lopt {

/// √Σx² over all leaves, summed in double.
float norm_of(const Values& tree);

/// Applies a spec's `meta_gradient` to a gradient of that norm, and says whether that `clipped` it. False: the step is
/// to be skipped.
bool treat(const GradientRules& rules, Values& gradient, float norm, bool& clipped);

/// The meta-optimizer of a stage, traced for its θ.
class MetaUpdate {
 public:
  /// Throws ShapeError or TreeError where the optimizer does not fit θ.
  MetaUpdate(const Experiment& stage, const Values& theta, HostKey key);

  /// The meta-optimizer's state before the first step.
  const Values& start() const { return start_; }
  /// Whether a state is one of this meta-optimizer's.
  bool fits(const Values& state) const;
  /// Whether it judges another θ than its own: an average.
  bool has_average() const { return has_average_; }

  struct Next {
    Values optimizer, theta, average;  // the last one empty without has_average()
  };
  /// `iteration`: steps of the stage before this one; `key`: the step's.
  Next operator()(const Values& optimizer, const Values& gradient, float loss, int iteration, HostKey key) const;

 private:
  Types state_types_, theta_types_;
  Values start_;
  std::unique_ptr<Executable> update_;
  bool has_average_ = false;
};

}  // namespace lopt
