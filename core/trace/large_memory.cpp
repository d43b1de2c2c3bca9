#include "trace/large_memory.h"

#include <sys/mman.h>

#include <cstring>
#include <new>

namespace lopt {

std::shared_ptr<std::byte> allocate_for_vectors(std::size_t bytes) {
  constexpr std::size_t huge_page = std::size_t{2} << 20U;
  const std::size_t size = bytes + 64;
  const auto alignment = static_cast<std::align_val_t>(size >= 2 * huge_page ? huge_page : 64);
  auto* const memory = static_cast<std::byte*>(::operator new(size, alignment));
  if (size >= 2 * huge_page) ::madvise(memory, size, MADV_HUGEPAGE);  // where there are none, small ones do
  // The rest of the last vector is computed with, though its results are never looked at.
  std::memset(memory + bytes, 0, size - bytes);
  return {memory, [alignment](std::byte* p) { ::operator delete(p, alignment); }};
}

}  // namespace lopt
