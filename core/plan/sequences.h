#pragma once
#include "plan/plan.h"

namespace lopt {

/// Joins elementwise instructions that follow one another to sequences, which run strip by strip of rows: what one
/// makes for the next stays in registers, and what nothing else reads is not kept.
void join_elementwise(Region& region);

}  // namespace lopt
