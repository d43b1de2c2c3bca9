#pragma once
// Lowers the operations of a cluster to the instructions of a region.

#include "plan/clusters.h"
#include "plan/plan.h"
#include "plan/views.h"

#include <functional>
#include <map>

namespace lopt {

/// What lowering needs to know of the rest of the plan.
struct RegionContext {
  const Program& program;
  const Clusters& clusters;
  const std::vector<std::vector<ValueId>>& users;
  std::function<bool(ValueId)> is_stored;            // a value that others need
  std::function<BufferId(ValueId)> buffer_of;        // where such a value goes
  std::function<View(ValueId)> view_of;              // a value made before the region
  std::function<bool(BufferId)> has_room;            // for a vector behind the last element
  std::function<View(const View&)> contiguous_copy;  // the same elements, row-major, copied before the region
};

Region lower_region(const RegionContext& context, std::uint32_t cluster);

}  // namespace lopt
