#include "run/own_library.h"

#include <boost/dll/runtime_symbol_info.hpp>
#include <fmt/format.h>

#include <dlfcn.h>

namespace lopt {

boost::dll::shared_library own_library(const std::string& name, const std::string& without_it) {
  const auto file =
      boost::dll::program_location().parent_path().parent_path() / fmt::format("lib/lopt/liblopt_{}.so", name);
  try {
    return boost::dll::shared_library(file, boost::dll::load_mode::rtld_now | boost::dll::load_mode::rtld_global |
                                                static_cast<boost::dll::load_mode::type>(RTLD_NODELETE));
  } catch (const boost::system::system_error& error) {
    throw std::runtime_error(fmt::format("{}: {} cannot be loaded: {}; where lopt was built, `./dev build` makes it",
                                         without_it, file.string(), error.what()));
  }
}

}  // namespace lopt
