#include "trace/large_memory.h"

#include <sys/mman.h>

#include <cstring>
#include <new>

namespace lopt {

std::shared_ptr<std::byte> allocate_for_vectors(std::size_t bytes) {
  constexpr std::size_t huge_page = std::size_t{2} << 20U, alignment = 64;
  const std::size_t size = bytes + alignment;
  std::shared_ptr<std::byte> result;
  if (size >= 2 * huge_page) {
    constexpr auto aligned = static_cast<std::align_val_t>(huge_page);
    result = {static_cast<std::byte*>(::operator new(size, aligned)),
              [](std::byte* p) { ::operator delete(p, aligned); }};
    ::madvise(result.get(), size, MADV_HUGEPAGE);  // where there are none, small ones do
  } else {
    // One allocation for the bytes and their count of owners: aligned ones of small arrays cost more than the arrays.
    const auto block = std::make_shared_for_overwrite<std::byte[]>(size + alignment);
    std::size_t room = size + alignment;
    void* start = block.get();
    result = {block, static_cast<std::byte*>(std::align(alignment, size, start, room))};
  }
  // The rest of the last vector is computed with, though its results are never looked at.
  std::memset(result.get() + bytes, 0, size - bytes);
  return result;
}

}  // namespace lopt
