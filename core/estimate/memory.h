#pragma once
#include <cstddef>
#include <string>

namespace lopt {

/// Throws ShapeError with a sentence if this many bytes are more than the machine has to give. `what` needs them.
void require_memory(std::size_t bytes, const std::string& what);

}  // namespace lopt
