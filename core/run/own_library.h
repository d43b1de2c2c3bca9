#pragma once
// Parts of lopt that few runs need are libraries of their own, beside the runner's, and are loaded here.

#include <boost/dll/shared_library.hpp>

#include <string>

namespace lopt {

/// ../lib/lopt/liblopt_NAME.so, relative to the runner; its symbols are seen by what is loaded later. It stays loaded.
/// Throws std::runtime_error with `without_it`, what cannot be done, where it cannot be loaded.
boost::dll::shared_library own_library(const std::string& name, const std::string& without_it);

}  // namespace lopt
