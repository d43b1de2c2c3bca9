#pragma once
// One plugin file: checked before it is loaded, its manifest compared before any C++ of it runs.

#include <lopt_trace.h>

#include <lopt/plugin.h>

#include <memory>
#include <string>

namespace lopt {

struct PluginLibrary {
  struct Handle;
  std::string path, sha256;  // of its bytes when it was loaded
  std::shared_ptr<Handle> handle;
  const lopt_manifest* manifest = nullptr;
  const lopt_c_plugin_table* c_plugin = nullptr;  // instead, of a plugin in C

  /// The manifest's row for a component, or null.
  const lopt_component* find(const std::string& kind, const std::string& name) const;
  /// The same of a plugin in C.
  const lopt_c_component* find_in_c(const std::string& kind, const std::string& name) const;
};

/// What is wrong with a manifest, or nothing. Pointers that are not null are followed.
std::string manifest_problem(const lopt_manifest& manifest);

/// Throws PluginError with a sentence that says what the file is, and what would be right.
std::shared_ptr<PluginLibrary> load_library(const std::string& path);

}  // namespace lopt
