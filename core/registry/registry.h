#pragma once
// Plugins: finding them, reading their manifests, making their components.

#include "spec/reader.h"

#include <lopt/plugin.h>

#include <map>
#include <memory>
#include <optional>
#include <set>

namespace lopt {

/// A plugin that cannot be used, or a component that failed: exit code 3.
class PluginError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// What the core throws through plugins that call it: it is not theirs, and comes out as it was.
class CoreError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A library that was loaded into this process, where it stays.
struct PluginLibrary;

/// A component as its manifest describes it.
struct ComponentInfo {
  std::string kind, name, summary, paper, licence, url, version;
  std::string library_path;
  std::string source;       // how the library was found: "plugin_path of the spec", "LOPT_PLUGIN_PATH", …
  bool is_foreign = false;  // it is described in another language; `library_path` is the file of its source
};
/// "the optimizer 'adam' (/usr/lib/lopt/plugins/adam.so)".
std::string to_text(const ComponentInfo& component);

struct RefusedLibrary {
  std::string path, reason, source;
};

/// A library of which components were made, as run.json keeps it.
struct UsedLibrary {
  std::string path, sha256;
  std::vector<ComponentInfo> components;
};

class ForeignComponents;  // registry/foreign.h

/// What kinds of component there are, as specs and errors call them.
std::vector<std::string> component_kinds();

class Registry {
 public:
  Registry();

  /// Looks for plugins (*.so) in a folder, or takes a file. Manifests are read in a child process; nothing is loaded
  /// here until a component is made. Where `required`, a library that is refused, or a path that is not there, is a
  /// PluginError; else it is remembered in refused(). A library that was found before is not taken twice.
  void add_path(const std::string& path, const std::string& source, bool required);
  /// The paths that are always searched: LOPT_PLUGIN_PATH, the user's data folder, and beside this library.
  void add_default_paths();
  /// The first two of them; and of the third the files that have these names, where one does not want to wait for all.
  void add_paths_of_user();
  void add_named(const std::set<std::string>& names);

  const std::vector<ComponentInfo>& components() const { return components_; }
  const std::vector<RefusedLibrary>& refused() const { return refused_; }

  /// The components of a kind by name ("adam"), or by library and name ("my_lib/adam", "folder/my_lib/adam").
  std::vector<const ComponentInfo*> find(const std::string& kind, const std::string& name) const;

  /// Makes a component from a spec's node; reports what is wrong with it and returns null then. `resolved` becomes the
  /// node with every default. What the component throws later names it and the call. Throws PluginError where the
  /// plugin itself fails, or has other bytes than the node's `sha256`.
  std::shared_ptr<const void> make(const std::string& kind, const SpecNode& node, const std::string& path,
                                   SpecErrors& errors, SpecNode& resolved);
  /// The same for a component that is known, from a mapping of its settings.
  std::shared_ptr<const void> make_from(const ComponentInfo& component, const SpecNode& mapping,
                                        const std::string& path, SpecErrors& errors, SpecNode& resolved);
  /// The settings that a component declares.
  std::vector<Declaration> describe(const ComponentInfo& component);
  ComponentMaker maker();

  /// The components that are described in another language.
  ForeignComponents& foreign() { return *foreign_; }

  /// Libraries whose components were made, in the order of their paths.
  std::vector<UsedLibrary> used() const;

 private:
  const ComponentInfo* choose(const std::string& kind, const SpecNode& mapping, const std::string& path,
                              SpecErrors& errors) const;
  const ComponentInfo* choose_foreign(const std::string& kind, const SpecNode& mapping, const std::string& path,
                                      SpecErrors& errors) const;
  std::shared_ptr<const void> create(const ComponentInfo& component, SpecReader& reader, const SpecNode& mapping,
                                     const std::string& path, SpecErrors& errors);
  void check_pin(const SpecNode& pin, const std::string& path, const ComponentInfo& component,
                 SpecErrors& errors) const;
  std::string no_such(const std::string& kind, const std::string& name) const;

  std::vector<ComponentInfo> components_;
  std::vector<RefusedLibrary> refused_;
  std::set<std::string> seen_;
  /// What was made; copies of a registry share it.
  struct Made {
    std::map<std::string, std::shared_ptr<PluginLibrary>> loaded;  // by path
    std::map<std::string, std::shared_ptr<const void>> datasets;   // by library and settings: examples are held once
    std::map<std::string, std::set<std::pair<std::string, std::string>>> used;  // path → kind and name
  };
  std::shared_ptr<Made> made_;
  std::shared_ptr<ForeignComponents> foreign_;
};

}  // namespace lopt
