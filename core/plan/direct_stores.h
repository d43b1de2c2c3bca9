#pragma once
#include "plan/plan.h"

#include <functional>

namespace lopt {

/// Lets elementwise instructions write what is stored where it is to lie, and its readers read it there, instead of
/// copying it from scratch. Only where rows are whole vectors, for kernels write nothing less, or a buffer has room for
/// one behind its last element.
void store_directly(Region& region, const std::function<bool(BufferId)>& has_room);

}  // namespace lopt
