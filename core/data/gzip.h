#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace lopt {

inline bool is_gzip(std::span<const std::uint8_t> bytes) {
  return bytes.size() > 2 && bytes[0] == 0x1f && bytes[1] == 0x8b;
}
/// What gzip has compressed, 2 GB at most. Throws DataError in the name of `name` where it is damaged or cut short.
std::vector<std::uint8_t> inflated(std::span<const std::uint8_t> bytes, const std::string& name);

}  // namespace lopt
