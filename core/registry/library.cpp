#include "registry/library.h"

#include "registry/registry.h"

#include <boost/dll/shared_library.hpp>
#include <dlfcn.h>
#include <elf.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <regex>

namespace lopt {

struct PluginLibrary::Handle {
  boost::dll::shared_library library;
};

namespace {

/// The dynamic loader maps segments without asking whether the file is long enough: reading behind the end of a file
/// that is cut short would end the process. So the file is compared with its own headers first.
void check_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) throw PluginError(fmt::format("{}: cannot be read: {}", path, std::strerror(errno)));
  const auto size = static_cast<std::uint64_t>(file.tellg());
  Elf64_Ehdr header{};
  file.seekg(0);
  file.read(reinterpret_cast<char*>(&header), sizeof header);
  if (!file || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
    throw PluginError(fmt::format("{}: is no shared library; a plugin is built with lopt_add_plugin() in CMake", path));
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_type != ET_DYN)
    throw PluginError(fmt::format("{}: is no 64-bit shared library", path));
  auto inside = [&](std::uint64_t offset, std::uint64_t length) { return offset <= size && length <= size - offset; };
  bool whole = header.e_phentsize == sizeof(Elf64_Phdr) &&
               inside(header.e_phoff, std::uint64_t{header.e_phnum} * sizeof(Elf64_Phdr)) &&
               inside(header.e_shoff, std::uint64_t{header.e_shnum} * header.e_shentsize);
  for (std::uint64_t i = 0; whole && i < header.e_phnum; ++i) {
    Elf64_Phdr segment{};
    file.seekg(static_cast<std::streamoff>(header.e_phoff + i * sizeof segment));
    file.read(reinterpret_cast<char*>(&segment), sizeof segment);
    whole = static_cast<bool>(file) && inside(segment.p_offset, segment.p_filesz);
  }
  if (!whole) throw PluginError(fmt::format("{}: is cut short: its headers speak of more bytes than there are", path));
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

std::shared_ptr<PluginLibrary> load_library(const std::string& path) {
  check_file(path);
  auto handle = std::make_shared<PluginLibrary::Handle>();
  try {
    // Never unloaded: an exception that a plugin threw outlives the objects of the plugin.
    handle->library.load(path, boost::dll::load_mode::rtld_now | boost::dll::load_mode::rtld_local |
                                   static_cast<boost::dll::load_mode::type>(RTLD_NODELETE));
  } catch (const std::exception& failure) {
    throw PluginError(fmt::format("{}: cannot be loaded: {}", path, failure.what()));
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
