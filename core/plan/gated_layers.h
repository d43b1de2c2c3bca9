#pragma once
#include "plan/plan.h"

namespace lopt {

/// A layer whose result goes on only where other columns are above 0 becomes one instruction: how a derivative passes a
/// relu, forward or backward. The result is written once, where it would be written, read and written again.
void fuse_gates(Region& region);

}  // namespace lopt
