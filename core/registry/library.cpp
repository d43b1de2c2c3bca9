#include "registry/library.h"

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

std::string component_problem(const lopt_component& component) {
  const char* texts[] = {component.kind,    component.name, component.summary, component.paper,
                         component.licence, component.url,  component.version};
  for (const char* text : texts)
    if (!text) return "a component in its manifest has a null text";
  if (!component.create || !component.destroy)
    return fmt::format("the component '{}' in its manifest has no create or no destroy function", component.name);
  const std::vector<std::string> kinds = component_kinds();
  if (std::find(kinds.begin(), kinds.end(), component.kind) == kinds.end())
    return fmt::format("the component '{}' is of the kind '{}', which does not exist", component.name, component.kind);
  if (!std::regex_match(component.name, std::regex("[a-z0-9_]+")))
    return fmt::format("the component name '{}' has other characters than a-z, 0-9 and _", component.name);
  return "";
}

/// What is wrong with a manifest, or nothing.
std::string manifest_problem(const lopt_manifest& manifest) {
  if (std::memcmp(manifest.magic, manifest_magic, sizeof manifest_magic) != 0)
    return "its manifest does not begin with lopt's magic";
  if (manifest.api_version != api_version)
    return fmt::format("it was built for API version {} of lopt, this runner has {}; build it again",
                       manifest.api_version, api_version);
  if (manifest.struct_size != sizeof(lopt_manifest) || manifest.component_size != sizeof(lopt_component))
    return fmt::format("its manifest has {} and {} bytes, this runner's has {} and {}; build it again",
                       manifest.struct_size, manifest.component_size, sizeof(lopt_manifest), sizeof(lopt_component));
  if (!manifest.fingerprint || std::strcmp(manifest.fingerprint, fingerprint) != 0)
    return fmt::format(
        "it was built as '{}', this runner as '{}'; build it with the same compiler and standard library",
        manifest.fingerprint ? manifest.fingerprint : "", fingerprint);
  if (!manifest.components || manifest.component_count == 0) return "its manifest lists no components";
  std::set<std::pair<std::string, std::string>> names;
  for (std::uint32_t i = 0; i < manifest.component_count; ++i) {
    const lopt_component& component = manifest.components[i];
    if (std::string problem = component_problem(component); !problem.empty()) return problem;
    if (!names.emplace(component.kind, component.name).second)
      return fmt::format("its manifest lists the {} '{}' twice", component.kind, component.name);
  }
  return "";
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
  return std::make_shared<PluginLibrary>(PluginLibrary{path, std::move(handle), &manifest});
}

}  // namespace lopt
