#include "embed/c_boundary.h"

#include "kernels/simd.h"

#include <cstdlib>
#include <mutex>
#include <stdexcept>

namespace lopt {

void select_simd_once() {
  if (kernels::simd_levels().empty())
    throw std::runtime_error("this processor is older than lopt supports: SSE4.2 and AES are needed (2010 and later)");
  static std::once_flag once;
  std::call_once(once, [] {
    const char* level = std::getenv("LOPT_SIMD");
    if (level && *level && !kernels::select_simd(level))
      throw SettingsError(fmt::format("LOPT_SIMD: this processor has no level '{}'; it has {}", level,
                                      fmt::join(kernels::simd_levels(), ", ")));
  });
}

}  // namespace lopt
