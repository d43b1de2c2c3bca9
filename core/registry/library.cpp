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

/// What is wrong with the table of a plugin in C, or nothing.
std::string c_plugin_problem(const lopt_c_plugin_table& table) {
  if (table.version != 1)
    return fmt::format("its table has version {}, this runner knows version 1; build it again", table.version);
  if (!table.components || table.count == 0) return "its table lists no components";
  for (std::uint32_t i = 0; i < table.count; ++i) {
    const lopt_c_component& c = table.components[i];
    if (!c.kind || !c.name || !c.summary || !c.trace) return "a component in its table has a null pointer";
    const std::string kind = c.kind;
    if (kind != Optimizer::kind && kind != LearnedOptimizer::kind && kind != Task::kind && kind != Schedule::kind)
      return fmt::format(
          "the component '{}' is of the kind '{}'; in C there are optimizers, learned optimizers, tasks "
          "and schedules",
          c.name, kind);
  }
  return "";
}

constexpr const char* c_symbol = "lopt_c_plugin";

}  // namespace

const lopt_c_component* PluginLibrary::find_in_c(const std::string& kind, const std::string& name) const {
  for (std::uint32_t i = 0; c_plugin && i < c_plugin->count; ++i)
    if (c_plugin->components[i].kind == kind && c_plugin->components[i].name == name) return &c_plugin->components[i];
  return nullptr;
}

const lopt_component* PluginLibrary::find(const std::string& kind, const std::string& name) const {
  if (!manifest) return nullptr;
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
  if (handle->library.has(c_symbol)) {
    const auto& table = handle->library.get<const lopt_c_plugin_table>(c_symbol);
    if (std::string problem = c_plugin_problem(table); !problem.empty())
      throw PluginError(fmt::format("{}: is refused: {}", path, problem));
    return std::make_shared<PluginLibrary>(
        PluginLibrary{path, sha256_of_file(path), std::move(handle), nullptr, &table});
  }
  if (!handle->library.has(manifest_symbol))
    throw PluginError(fmt::format("{}: is a library, but no plugin: it has no symbol '{}'; LOPT_PLUGIN() makes it",
                                  path, manifest_symbol));
  const auto& manifest = handle->library.get<const lopt_manifest>(manifest_symbol);
  if (std::string problem = manifest_problem(manifest); !problem.empty())
    throw PluginError(fmt::format("{}: is refused: {}", path, problem));
  return std::make_shared<PluginLibrary>(
      PluginLibrary{path, sha256_of_file(path), std::move(handle), &manifest, nullptr});
}

}  // namespace lopt
