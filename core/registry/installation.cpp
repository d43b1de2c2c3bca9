#include "registry/installation.h"

#include <boost/dll/runtime_symbol_info.hpp>

#include <filesystem>

namespace lopt {

std::string installation_prefix() {
  const std::filesystem::path library = boost::dll::symbol_location(installation_prefix).string();
  return std::filesystem::weakly_canonical(library).parent_path().parent_path().string();
}

}  // namespace lopt
