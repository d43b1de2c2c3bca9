#include "registry/library.h"

#include "data/sha256.h"
#include "registry/elf_file.h"
#include "registry/registry.h"

#include <boost/dll/shared_library.hpp>
#include <cxxabi.h>
#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <cstring>

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
  const auto in_symbol = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.' || c == '$';
  };
  std::string result;
  for (std::size_t at = 0; at < message.size();) {
    const std::size_t begin = std::min(message.find("_Z", at), message.size());
    const auto end = static_cast<std::size_t>(
        std::find_if_not(message.begin() + static_cast<std::ptrdiff_t>(begin), message.end(), in_symbol) -
        message.begin());
    const std::string symbol = message.substr(begin, end - begin);
    int status = 0;
    const std::unique_ptr<char, decltype(&std::free)> name(
        abi::__cxa_demangle(symbol.c_str(), nullptr, nullptr, &status), &std::free);
    result += message.substr(at, begin - at) + (status == 0 ? name.get() : symbol);
    at = end;
  }
  return result;
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
