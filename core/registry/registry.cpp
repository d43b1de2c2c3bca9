#include "registry/registry.h"

#include "registry/library.h"

#include <boost/dll/runtime_symbol_info.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <sstream>

namespace lopt {

namespace fs = std::filesystem;

std::vector<std::string> component_kinds() {
  return {Task::kind,      TaskFamily::kind,       Dataset::kind,
          Optimizer::kind, LearnedOptimizer::kind, GradientEstimator::kind};
}

void Registry::add_path(const std::string& path, bool required) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (!fs::exists(status)) {
    if (required) throw PluginError(fmt::format("{}: there is no such plugin file or folder", path));
    return;
  }
  if (!fs::is_directory(status)) return add_library(path, required);
  std::vector<std::string> files;
  for (const fs::directory_entry& entry : fs::directory_iterator(path, error))
    if (entry.path().extension() == ".so") files.push_back(entry.path().string());
  if (error && required) throw PluginError(fmt::format("{}: the folder cannot be read: {}", path, error.message()));
  std::sort(files.begin(), files.end());
  for (const std::string& file : files) add_library(file, required);
}

void Registry::add_default_paths() {
  if (const char* list = std::getenv("LOPT_PLUGIN_PATH")) {
    std::istringstream paths(list);
    for (std::string path; std::getline(paths, path, ':');)
      if (!path.empty()) add_path(path, false);
  }
  const char *data = std::getenv("XDG_DATA_HOME"), *home = std::getenv("HOME");
  if (data && *data)
    add_path(std::string(data) + "/lopt/plugins", false);
  else if (home && *home)
    add_path(std::string(home) + "/.local/share/lopt/plugins", false);
  add_path(
      (fs::path(boost::dll::program_location().string()).parent_path().parent_path() / "lib/lopt/plugins").string(),
      false);
}

void Registry::add_library(const std::string& path, bool required) {
  std::error_code error;
  const fs::path canonical = fs::weakly_canonical(path, error);
  if (!seen_.insert(error ? path : canonical.string()).second) return;
  try {
    std::shared_ptr<PluginLibrary> library = load_library(path);
    for (std::uint32_t i = 0; i < library->manifest->component_count; ++i) {
      const lopt_component& c = library->manifest->components[i];
      components_.push_back({c.kind, c.name, c.summary, c.paper, c.licence, c.url, c.version, path, library, &c});
    }
  } catch (const PluginError& refusal) {
    if (required) throw;
    refused_.push_back({path, refusal.what()});
  }
}

const ComponentInfo* Registry::find(const std::string& kind, const std::string& name) const {
  const std::size_t slash = name.find('/');
  for (const ComponentInfo& component : components_) {
    if (component.kind != kind) continue;
    if (slash == std::string::npos ? component.name == name
                                   : component.name == name.substr(slash + 1) &&
                                         fs::path(component.library_path).stem() == name.substr(0, slash))
      return &component;
  }
  return nullptr;
}

std::string Registry::no_such(const std::string& kind, const std::string& name) const {
  std::vector<std::string> names;
  for (const ComponentInfo& component : components_) {
    if (component.name == name)
      return fmt::format("'{}' is a plugin of the kind {}; a {} is needed here", name, component.kind, kind);
    if (component.kind == kind) names.push_back(component.name);
  }
  std::sort(names.begin(), names.end());
  std::string hint = did_you_mean(name, names);
  if (hint.empty()) hint = names.empty() ? "; none was found" : fmt::format("; there is {}", fmt::join(names, ", "));
  for (const RefusedLibrary& refused : refused_) hint += fmt::format(" (refused: {})", refused.reason);
  return fmt::format("there is no {} plugin '{}'{}", kind, name, hint);
}

std::shared_ptr<const void> Registry::create(const ComponentInfo& component, SpecReader& reader,
                                             const std::string& path) {
  Settings settings(reader);
  void* object = nullptr;
  char message[1024] = "";
  if (component.entry->create(&settings, &object, message, sizeof message) != 0 || !object)
    throw PluginError(fmt::format("{}: the plugin '{}' ({}) failed while it was made: {}",
                                  path.empty() ? component.kind : path, component.name, component.library_path,
                                  message));
  return {object, [library = component.library, destroy = component.entry->destroy](const void* p) {
            destroy(const_cast<void*>(p));
          }};
}

std::shared_ptr<const void> Registry::make(const std::string& kind, const SpecNode& node, const std::string& path,
                                           SpecErrors& errors, SpecNode& resolved) {
  SpecNode mapping = node;
  if (node.kind == SpecNode::Kind::scalar) {
    mapping = SpecNode::mapping({{"plugin", node}});
    mapping.where = node.where;
  }
  if (!mapping.is_mapping()) {
    errors.add(node.where, path,
               fmt::format("must be the name of a {} plugin, or a mapping with `plugin` and its settings", kind));
    return nullptr;
  }
  const SpecNode* plugin = mapping.find("plugin");
  if (!plugin || plugin->kind != SpecNode::Kind::scalar) {
    errors.add(mapping.where, path + ".plugin", fmt::format("is missing: the name of a {} plugin", kind));
    return nullptr;
  }
  const ComponentInfo* component = find(kind, plugin->text);
  if (!component) {
    errors.add(plugin->where, path + ".plugin", no_such(kind, plugin->text));
    return nullptr;
  }
  SpecReader reader(mapping, path, errors, maker(), {"plugin"});
  std::shared_ptr<const void> object = create(*component, reader, path);
  reader.check_unknown();
  resolved = SpecNode::mapping({{"plugin", SpecNode::scalar(plugin->text)}});
  for (const auto& [key, value] : reader.resolved().entries) resolved.set(key, value);
  used_.insert(component->library_path);
  return object;
}

ComponentMaker Registry::maker() {
  return [this](const std::string& kind, const SpecNode& node, const std::string& path, SpecErrors& errors,
                SpecNode& resolved) { return make(kind, node, path, errors, resolved); };
}

std::vector<Declaration> Registry::describe(const ComponentInfo& component) {
  const SpecNode nothing = SpecNode::mapping();
  SpecErrors ignored;
  SpecReader reader(nothing, "", ignored,
                    [](const std::string&, const SpecNode&, const std::string&, SpecErrors&, SpecNode&) {
                      return std::shared_ptr<const void>();
                    });
  reader.describe_only();
  try {
    create(component, reader, component.name);
  } catch (const PluginError&) {
    // What it declared before it failed is still what it declares.
  }
  return reader.declarations();
}

}  // namespace lopt
