#pragma once
// Threefry-2x32 with 20 rounds (Salmon et al., 2011), as JAX uses it.

#include <lopt/random.h>

#include <Random123/threefry.h>

namespace lopt {

inline HostKey threefry(HostKey key, std::uint32_t high, std::uint32_t low) {
  const threefry2x32_ctr_t result = threefry2x32_R(20, {{high, low}}, {{key.high, key.low}});
  return {result.v[0], result.v[1]};
}

/// Element i is the exclusive or of both words of threefry(key, i).
inline void fill_random_bits(HostKey key, std::span<std::uint32_t> bits) {
  for (std::size_t i = 0; i < bits.size(); ++i) {
    const HostKey words =
        threefry(key, static_cast<std::uint32_t>(static_cast<std::uint64_t>(i) >> 32U), static_cast<std::uint32_t>(i));
    bits[i] = words.high ^ words.low;
  }
}

}  // namespace lopt
