#pragma once
#include "execute/arena.h"
#include "execute/tile.h"

namespace lopt {

/// Runs a region. Sums over rows are taken chunk by chunk, and the chunks' sums in order: the same bits whether the
/// chunks run one after the other or, with `parallel`, on the threads of this TBB arena.
void run_region(const Region& region, const BoundKernels& kernels, const Plan& plan, Arena& arena, bool parallel);

}  // namespace lopt
