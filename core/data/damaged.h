#pragma once
#include <lopt/dataset.h>

namespace lopt {

/// Throws DataError: what is wrong with the file or bytes called `name`.
[[noreturn]] inline void damaged(const std::string& name, const std::string& why) {
  throw DataError(name + ": " + why);
}

}  // namespace lopt
