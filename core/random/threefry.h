#pragma once
// Threefry-2x32 with 20 rounds (Salmon et al., 2011), as JAX uses it.

#include <lopt/random.h>

#include <Random123/threefry.h>

namespace lopt {

inline HostKey threefry(HostKey key, std::uint32_t high, std::uint32_t low) {
  const threefry2x32_ctr_t result = threefry2x32_R(20, {{high, low}}, {{key.high, key.low}});
  return {result.v[0], result.v[1]};
}

}  // namespace lopt
