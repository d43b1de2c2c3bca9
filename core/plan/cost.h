#pragma once
#include "plan/plan.h"

#include <algorithm>

namespace lopt {

/// What a kernel does: floating-point operations, bytes that it reads from and writes to values in memory, and how many
/// of these are rows of many columns that a region turns into columns, or back. To turn them costs five times what
/// reading them from the second cache does, which is why rows of sixteen columns and more stay as they lie where no
/// layer works on them (clusters.cpp).
struct Cost {
  double flop = 0, bytes = 0, turned = 0;
  /// Seconds at a processor's peak and its second cache's pace: whatever takes longer, and what is turned on top.
  double seconds(double flop_per_second, double bytes_per_second) const {
    constexpr double turning = 5;
    return std::max(flop / flop_per_second, bytes / bytes_per_second) + turning * turned / bytes_per_second;
  }
};
Cost cost_of(const Kernel& kernel, const Plan& plan);

/// "region of 8192 rows in tiles of 512: multiply, add, chain 3→64→2, …".
std::string describe(const Kernel& kernel);

}  // namespace lopt
