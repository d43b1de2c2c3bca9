#pragma once
#include "plan/plan.h"

namespace lopt {

/// Makes one instruction of those that go back through a small layer of relu units between few inputs and few outputs:
/// its sums over rows stay in registers, where layer by layer each would be written to the first cache and read again.
void fuse_hidden_backward(Region& region);

}  // namespace lopt
