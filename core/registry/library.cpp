#include "registry/library.h"

#include "data/sha256.h"
#include "registry/elf_file.h"
#include "registry/registry.h"

#include <boost/dll/shared_library.hpp>
#include <cxxabi.h>
#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <regex>

namespace lopt {

struct PluginLibrary::Handle {
  boost::dll::shared_library library;
};

namespace {

/// What the dynamic loader said, without what Boost.DLL puts around it, with C++ names as people write them.
std::string demangled(std::string message) {
  const std::string before = "dlerror system message: ";
  if (const std::size_t at = message.find(before); at != std::string::npos) message.erase(0, at + before.size());
  if (const std::size_t end = message.rfind("): "); end != std::string::npos) message.erase(end);
  static const std::regex symbol("_Z[A-Za-z0-9_.$]+");
  std::string result;
  auto rest = message.cbegin();
  for (std::sregex_iterator match(message.begin(), message.end(), symbol), end; match != end; ++match) {
    result.append(rest, message.cbegin() + match->position());
    int status = 0;
    const std::unique_ptr<char, decltype(&std::free)> name(
        abi::__cxa_demangle(match->str().c_str(), nullptr, nullptr, &status), &std::free);
    result += status == 0 ? std::string(name.get()) : match->str();
    rest = message.cbegin() + match->position() + match->length();
  }
  return result.append(rest, message.cend());
}

}  // namespace

const lopt_component* PluginLibrary::find(const std::string& kind, const std::string& name) const {
  for (std::uint32_t i = 0; i < manifest->component_count; ++i)
    if (manifest->components[i].kind == kind && manifest->components[i].name == name) return &manifest->components[i];
  return nullptr;
}

std::shared_ptr<PluginLibrary> load_library(const std::string& path) {
  check_elf_file(path);
  auto handle = std::make_shared<PluginLibrary::Handle>();
  try {
    // Never unloaded: an exception that a plugin threw outlives the objects of the plugin.
    handle->library.load(path, boost::dll::load_mode::rtld_now | boost::dll::load_mode::rtld_local |
                                   static_cast<boost::dll::load_mode::type>(RTLD_NODELETE));
  } catch (const std::exception& failure) {
    throw PluginError(fmt::format("{}: cannot be loaded: {}", path, demangled(failure.what())));
  }
  if (!handle->library.has(manifest_symbol))
    throw PluginError(fmt::format("{}: is a library, but no plugin: it has no symbol '{}'; LOPT_PLUGIN() makes it",
                                  path, manifest_symbol));
  const auto& manifest = handle->library.get<const lopt_manifest>(manifest_symbol);
  if (std::string problem = manifest_problem(manifest); !problem.empty())
    throw PluginError(fmt::format("{}: is refused: {}", path, problem));
  return std::make_shared<PluginLibrary>(PluginLibrary{path, sha256_of_file(path), std::move(handle), &manifest});
}

}  // namespace lopt
