#include "estimate/member_losses.h"

namespace lopt {

Unrolled MemberLosses::noted(Unrolled unrolled, int steps) const {
  // A lane that began a problem of another member within the unroll counts for the one that it ends with.
  for (std::size_t lane = 0; lane < unrolled.lanes.size(); ++lane) {
    LossSum& sum = sums_[unrolled.lanes[lane].task];
    for (std::size_t k = 0; k < static_cast<std::size_t>(steps); ++k)
      sum.total += static_cast<double>(unrolled.losses[lane * static_cast<std::size_t>(steps) + k]);
    sum.count += steps;
  }
  return unrolled;
}

}  // namespace lopt
