#include "estimate/memory.h"

#include <lopt/tensor.h>

#include <fmt/format.h>

#include <fstream>

namespace lopt {
namespace {

/// What Linux says can be had without swapping; 0 where it says nothing.
std::size_t available_bytes() {
  std::ifstream info("/proc/meminfo");
  std::string name;
  std::size_t kilobytes = 0;
  for (std::string rest; info >> name >> kilobytes; std::getline(info, rest))
    if (name == "MemAvailable:") return kilobytes * 1024;
  return 0;
}

}  // namespace

void require_memory(std::size_t bytes, const std::string& what) {
  constexpr std::size_t never_too_much = std::size_t{64} << 20U;
  if (bytes < never_too_much) return;
  const std::size_t available = available_bytes();
  if (available == 0 || bytes <= available) return;
  constexpr double gigabyte = 1e9;
  throw ShapeError(fmt::format("{} need about {:.1f} GB of memory, and {:.1f} GB are free", what,
                               static_cast<double>(bytes) / gigabyte, static_cast<double>(available) / gigabyte));
}

}  // namespace lopt
