#pragma once
// Means of an unroll: of its losses, and of their slopes along directions.

#include <lopt/estimator.h>

#include <numeric>

namespace lopt {

/// Mean of all losses.
inline float mean_loss(const Unrolled& unrolled) {
  return static_cast<float>(std::accumulate(unrolled.losses.begin(), unrolled.losses.end(), 0.0) /
                            static_cast<double>(unrolled.losses.size()));
}

/// Slopes of one lane.
struct LaneSlopes {
  const Unrolled& unrolled;
  const Slopes& slopes;
  std::size_t lane, steps, directions;

  /// Σ over the steps before the first restart, and from it on, over all steps.
  struct Parts {
    float before, after;
  };
  Parts mean(std::size_t direction) const {
    double before = 0, after = 0;
    bool restarted = false;
    for (std::size_t step = 0; step < steps; ++step) {
      restarted = restarted || unrolled.began[lane * steps + step] != 0;
      (restarted ? after : before) +=
          static_cast<double>(slopes.losses[(lane * steps + step) * directions + direction]);
    }
    const auto count = static_cast<double>(steps);
    return {static_cast<float>(before / count), static_cast<float>(after / count)};
  }
  bool restarted() const {
    for (std::size_t step = 0; step < steps; ++step)
      if (unrolled.began[lane * steps + step] != 0) return true;
    return false;
  }
};

}  // namespace lopt
