#pragma once
#include "plan/plan.h"

namespace lopt {

/// Puts a region's instructions into an order in which few columns live at once: what ends values runs as soon as it
/// can, and of what begins some, that which leaves the fewest. `columns`: the width of each group.
void order_instructions(Region& region, const std::vector<std::int64_t>& columns);

}  // namespace lopt
