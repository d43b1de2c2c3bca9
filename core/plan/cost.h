#pragma once
#include "plan/plan.h"

namespace lopt {

/// What a kernel does: floating-point operations, and bytes that it reads from and writes to values in memory.
struct Cost {
  double flop = 0, bytes = 0;
};
Cost cost_of(const Kernel& kernel, const Plan& plan);

/// "region of 8192 rows in tiles of 512: multiply, add, chain 3→64→2, …".
std::string describe(const Kernel& kernel);

}  // namespace lopt
