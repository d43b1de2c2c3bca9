#include "registry/registry.h"

#include "registry/foreign.h"
#include "registry/guard.h"
#include "registry/installation.h"
#include "registry/library.h"
#include "registry/probe.h"
#include "data/sha256.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <sstream>

namespace lopt {

namespace fs = std::filesystem;

std::string to_text(const ComponentInfo& component) {
  return fmt::format("the {} '{}' ({})", component.kind, component.name, component.library_path);
}

namespace {
std::string with_article(const std::string& kind) {
  return (std::string("aeiou").find(kind[0]) == std::string::npos ? "a " : "an ") + kind;
}
}  // namespace

Registry::Registry() : made_(std::make_shared<Made>()), foreign_(foreign_components()) {}

void Registry::add_path(const std::string& path, const std::string& source, bool required) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (!fs::exists(status)) {
    if (required) throw PluginError(fmt::format("{}: there is no such plugin file or folder", path));
    return;
  }
  std::vector<std::string> files;
  if (fs::is_directory(status)) {
    foreign_->add_folder(fs::weakly_canonical(path, error).string());
    for (const fs::directory_entry& entry : fs::directory_iterator(path, error))
      if (entry.path().extension() == ".so") files.push_back(entry.path().string());
    if (error && required) throw PluginError(fmt::format("{}: the folder cannot be read: {}", path, error.message()));
    std::sort(files.begin(), files.end());
  } else {
    files.push_back(path);
  }
  std::erase_if(files, [&](const std::string& file) {
    const fs::path canonical = fs::weakly_canonical(file, error);
    return !seen_.insert(error ? file : canonical.string()).second;
  });
  for (ManifestReport& report : read_manifests(files)) {
    if (required && !report.problem.empty()) throw PluginError(report.problem);
    if (!report.problem.empty()) refused_.push_back({report.path, report.problem, source});
    for (ComponentInfo& component : report.components) {
      component.source = source;
      components_.push_back(std::move(component));
    }
  }
}

void Registry::add_paths_of_user() {
  if (const char* list = std::getenv("LOPT_PLUGIN_PATH")) {
    std::istringstream paths(list);
    for (std::string path; std::getline(paths, path, ':');)
      if (!path.empty()) add_path(path, "LOPT_PLUGIN_PATH", false);
  }
  const char *data = std::getenv("XDG_DATA_HOME"), *home = std::getenv("HOME");
  const std::string folder = data && *data   ? std::string(data)
                             : home && *home ? std::string(home) + "/.local/share"
                                             : "";
  if (!folder.empty()) add_path(folder + "/lopt/plugins", "the user's data folder", false);
}

void Registry::add_named(const std::set<std::string>& names) {
  for (const std::string& name : names)
    add_path(fmt::format("{}/lib/lopt/plugins/{}.so", installation_prefix(), name), "the installation", false);
}

void Registry::add_default_paths() {
  add_paths_of_user();
  add_path(installation_prefix() + "/lib/lopt/plugins", "the installation", false);
}

std::vector<const ComponentInfo*> Registry::find(const std::string& kind, const std::string& name) const {
  if (is_foreign_name(name)) {
    const ComponentInfo& component = foreign_->find(name, "");
    return component.kind == kind ? std::vector{&component} : std::vector<const ComponentInfo*>{};
  }
  const std::size_t slash = name.rfind('/');
  const std::string library = slash == std::string::npos ? "" : "/" + name.substr(0, slash);
  std::vector<const ComponentInfo*> found;
  for (const ComponentInfo& component : components_)
    if (component.kind == kind && component.name == name.substr(slash + 1) &&
        ("/" + fs::path(component.library_path).replace_extension().string()).ends_with(library))
      found.push_back(&component);
  return found;
}

namespace {
std::string traced_of(const SpecNode& mapping) {
  const SpecNode* traced = mapping.find("traced");
  return traced ? traced->text : "";
}
}  // namespace

const ComponentInfo* Registry::choose_foreign(const std::string& kind, const SpecNode& mapping, const std::string& path,
                                              SpecErrors& errors) const {
  const SpecNode& plugin = *mapping.find("plugin");
  try {
    const ComponentInfo& component = foreign_->find(plugin.text, traced_of(mapping));
    if (component.kind == kind) return &component;
    errors.add(plugin.where, path + ".plugin",
               fmt::format("'{}' is a {}; {} is needed here", plugin.text, component.kind, with_article(kind)));
  } catch (const SettingsError& error) {
    errors.add(plugin.where, path + ".plugin", error.what());
  }
  return nullptr;
}

/// The component that a spec names; reports where there is none, or more than one.
const ComponentInfo* Registry::choose(const std::string& kind, const SpecNode& mapping, const std::string& path,
                                      SpecErrors& errors) const {
  const SpecNode& plugin = *mapping.find("plugin");
  if (is_foreign_name(plugin.text)) return choose_foreign(kind, mapping, path, errors);
  const std::vector<const ComponentInfo*> found = find(kind, plugin.text);
  if (found.empty()) errors.add(plugin.where, path + ".plugin", no_such(kind, plugin.text));
  if (found.size() > 1) {
    std::vector<std::string> files;
    for (const ComponentInfo* component : found) files.push_back(component->library_path);
    const fs::path first(files[0]), second(files[1]);
    const std::string library = first.stem() != second.stem()
                                    ? first.stem().string()
                                    : (first.parent_path().filename() / first.stem()).string();
    errors.add(plugin.where, path + ".plugin",
               fmt::format("{} libraries offer the {} '{}': {}; name the library too, as in {}/{}", files.size(), kind,
                           found[0]->name, fmt::join(files, " and "), library, found[0]->name));
  }
  return found.size() == 1 ? found[0] : nullptr;
}

void Registry::check_pin(const SpecNode& pin, const std::string& path, const ComponentInfo& component,
                         SpecErrors& errors) const {
  if (pin.kind != SpecNode::Kind::scalar || !is_sha256(pin.text)) {
    errors.add(pin.where, path + ".sha256", "must be 64 hexadecimal digits, as sha256sum shows them");
    return;
  }
  const std::string actual = sha256_of_file(component.library_path);
  if (actual != pin.text)
    throw PluginError(fmt::format("{}: {}.sha256: {} has the SHA-256 {}, but the spec asks for {}", to_text(pin.where),
                                  path, component.library_path, actual, pin.text));
}

std::string Registry::no_such(const std::string& kind, const std::string& name) const {
  std::vector<std::string> names;
  for (const ComponentInfo& component : components_) {
    if (component.name == name)
      return fmt::format("'{}' is a plugin of the kind {}; {} is needed here", name, component.kind,
                         with_article(kind));
    if (component.kind == kind) names.push_back(component.name);
  }
  std::sort(names.begin(), names.end());
  std::string hint = did_you_mean(name, names);
  if (hint.empty()) hint = names.empty() ? "; none was found" : fmt::format("; there is {}", fmt::join(names, ", "));
  for (const RefusedLibrary& refused : refused_) hint += fmt::format(" (refused: {})", refused.reason);
  return fmt::format("there is no {} plugin '{}'{}", kind, name, hint);
}

std::shared_ptr<const void> Registry::create(const ComponentInfo& component, SpecReader& reader,
                                             const SpecNode& mapping, const std::string& path, SpecErrors& errors) {
  const std::string text = to_text(component);
  const PluginCall call(text, "its constructor");
  if (component.is_foreign) {
    try {
      // It may name components later, when this object lies elsewhere.
      const ComponentMaker later = [registry = std::make_shared<Registry>(*this)](auto&&... arguments) {
        return registry->make(std::forward<decltype(arguments)>(arguments)...);
      };
      return guarded(component, foreign_->create(component, traced_of(mapping), reader, later, path));
    } catch (const SettingsError& error) {
      errors.add(mapping.where, path, error.what());
      return nullptr;
    }
  }
  std::shared_ptr<PluginLibrary>& library = made_->loaded[component.library_path];
  if (!library) library = load_library(component.library_path);
  if (const lopt_c_component* described = library->find_in_c(component.kind, component.name))
    return guarded(component, foreign_->create_in_c(component, *described, reader));
  const lopt_component* entry = library->find(component.kind, component.name);
  if (!entry)
    throw PluginError(
        fmt::format("{}: has no {} '{}' any more", component.library_path, component.kind, component.name));
  Settings settings(reader);
  void* object = nullptr;
  char message[1024] = "";
  const int status = entry->create(&settings, &object, message, sizeof message);
  if (status == 2) {
    errors.add(mapping.where, path, message);
    return nullptr;
  }
  if (status != 0 || !object)
    throw PluginError(fmt::format("{}: the plugin '{}' ({}) failed while it was made: {}",
                                  path.empty() ? component.kind : path, component.name, component.library_path,
                                  message));
  return guarded(component, std::shared_ptr<const void>(
                                object, [destroy = entry->destroy](const void* p) { destroy(const_cast<void*>(p)); }));
}

std::shared_ptr<const void> Registry::make(const std::string& kind, const SpecNode& node, const std::string& path,
                                           SpecErrors& errors, SpecNode& resolved) {
  SpecNode mapping = node;
  if (node.kind == SpecNode::Kind::scalar) {
    mapping = SpecNode::mapping({{"plugin", node}});
    mapping.where = node.where;
  }
  if (!mapping.is_mapping()) {
    errors.add(
        node.where, path,
        fmt::format("must be the name of {} plugin, or a mapping with `plugin` and its settings", with_article(kind)));
    return nullptr;
  }
  const SpecNode* plugin = mapping.find("plugin");
  if (!plugin || plugin->kind != SpecNode::Kind::scalar) {
    errors.add(mapping.where, path + ".plugin", fmt::format("is missing: the name of {} plugin", with_article(kind)));
    return nullptr;
  }
  const ComponentInfo* component = choose(kind, mapping, path, errors);
  if (!component) return nullptr;
  if (const SpecNode* pin = mapping.find("sha256")) check_pin(*pin, path, *component, errors);
  return make_from(*component, mapping, path, errors, resolved);
}

std::shared_ptr<const void> Registry::make_from(const ComponentInfo& component, const SpecNode& mapping,
                                                const std::string& path, SpecErrors& errors, SpecNode& resolved) {
  SpecReader reader(mapping, path, errors, maker(), {"plugin", "sha256", "traced"});
  std::shared_ptr<const void> object = create(component, reader, mapping, path, errors);
  if (object) reader.check_unknown();  // a constructor that gave up has not asked for all
  const SpecNode* plugin = mapping.find("plugin");
  resolved = SpecNode::mapping({{"plugin", plugin ? *plugin : SpecNode::scalar(component.name)}});
  for (const char* key : {"sha256", "traced"})
    if (const SpecNode* value = mapping.find(key)) resolved.set(key, *value);
  for (const auto& [key, value] : reader.resolved().entries) resolved.set(key, value);
  if (!component.is_foreign) made_->used[component.library_path].emplace(component.kind, component.name);
  if (component.kind == Dataset::kind && object)
    return made_->datasets.try_emplace(component.library_path + " " + to_line(resolved), object).first->second;
  return object;
}

std::vector<UsedLibrary> Registry::used() const {
  std::vector<UsedLibrary> result;
  for (const auto& [path, names] : made_->used) {
    result.push_back({path, made_->loaded.at(path)->sha256, {}});
    for (const ComponentInfo& component : components_)
      if (component.library_path == path && names.contains({component.kind, component.name}))
        result.back().components.push_back(component);
  }
  return result;
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
  if (component.is_foreign) return foreign_->declarations(component);
  try {
    create(component, reader, nothing, component.name, ignored);
  } catch (const PluginError&) {
    // What it declared before it failed is still what it declares.
  }
  return reader.declarations();
}

}  // namespace lopt
