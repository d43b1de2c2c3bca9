#pragma once
// Plugins: finding them, reading their manifests, making their components.

#include "spec/reader.h"

#include <lopt/plugin.h>

#include <map>
#include <memory>
#include <optional>
#include <set>

namespace lopt {

/// A plugin that cannot be used, or a component that failed to be made: exit code 3.
class PluginError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A library that was loaded. Stays loaded as long as this or an object of its lives.
struct PluginLibrary;

/// A component as its manifest describes it.
struct ComponentInfo {
  std::string kind, name, summary, paper, licence, url, version;
  std::string library_path;
  std::shared_ptr<PluginLibrary> library;
  const lopt_component* entry = nullptr;
};
struct RefusedLibrary {
  std::string path, reason;
};

/// What kinds of component there are, as specs and errors call them.
std::vector<std::string> component_kinds();

class Registry {
 public:
  /// Looks for plugins (*.so) in folders, or takes a file; earlier paths win over later ones. Where `required`, a
  /// library that is refused, or a path that is not there, is a PluginError; else it is remembered in refused().
  void add_path(const std::string& path, bool required);
  /// The paths that are always searched: LOPT_PLUGIN_PATH, the user's data folder, and beside the runner.
  void add_default_paths();

  const std::vector<ComponentInfo>& components() const { return components_; }
  const std::vector<RefusedLibrary>& refused() const { return refused_; }

  /// The component of a kind by name ("adam") or library and name ("my_lib/adam"); null where there is none.
  const ComponentInfo* find(const std::string& kind, const std::string& name) const;

  /// Makes a component from a spec's node; reports what is wrong with it and returns null then. `resolved` becomes the
  /// node with every default. Throws PluginError where the plugin itself fails.
  std::shared_ptr<const void> make(const std::string& kind, const SpecNode& node, const std::string& path,
                                   SpecErrors& errors, SpecNode& resolved);
  /// The settings that a component declares.
  std::vector<Declaration> describe(const ComponentInfo& component);
  ComponentMaker maker();

  /// Libraries whose components were made, in order.
  const std::set<std::string>& used() const { return used_; }

 private:
  void add_library(const std::string& path, bool required);
  std::shared_ptr<const void> create(const ComponentInfo& component, SpecReader& reader, const std::string& path);
  std::string no_such(const std::string& kind, const std::string& name) const;

  std::vector<ComponentInfo> components_;
  std::vector<RefusedLibrary> refused_;
  std::set<std::string> seen_, used_;
};

}  // namespace lopt
