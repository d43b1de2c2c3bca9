#pragma once
// A bound on each task's own gradient, so that one problem that blows up does not drown the others.

#include <lopt/estimator.h>
#include <lopt/plugin.h>

#include <cmath>

namespace lopt {

class TaskClip {
 public:
  explicit TaskClip(Settings& s)
      : most_norm_(static_cast<float>(double{
            s.real("clip_task", 0)
                .at_least(0)
                .at_most(1e30)
                .doc("largest norm of one task's own gradient; a longer one is scaled down, one that is not finite "
                     "counts as 0; 0: any")})) {}

  explicit operator bool() const { return most_norm_ > 0; }
  float most_norm() const { return most_norm_; }
  /// What a gradient is multiplied with; 0 where it is not finite.
  float factor(const Values& gradient) const {
    double sum = 0;
    for (const Array& leaf : gradient.leaves())
      for (const float x : leaf.values<float>()) sum += static_cast<double>(x) * static_cast<double>(x);
    const double norm = std::sqrt(sum);
    if (!std::isfinite(norm)) return 0;
    return norm <= static_cast<double>(most_norm_) ? 1 : static_cast<float>(static_cast<double>(most_norm_) / norm);
  }

 private:
  float most_norm_;
};

}  // namespace lopt
