#pragma once
#include "plan/plan.h"

namespace lopt {

/// Lets elementwise instructions write what is stored where it is to lie, and its readers read it there, instead of
/// copying it from scratch. Only where rows are whole vectors, for kernels write nothing less, and caches hold what is
/// written.
void store_directly(Region& region);

}  // namespace lopt
