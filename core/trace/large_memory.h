#pragma once
#include <cstddef>
#include <memory>

namespace lopt {

/// Memory that is not initialised, aligned to 64 bytes, with 64 readable bytes behind it, as kernels read whole
/// vectors. What is large asks for huge pages: a pass over it waits for the translation of addresses else.
std::shared_ptr<std::byte> allocate_for_vectors(std::size_t bytes);

}  // namespace lopt
