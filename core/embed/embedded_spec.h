#pragma once
// What stands behind `optimizer:` or `task:` in a spec, made for another program.

#include "registry/registry.h"

namespace lopt {

struct EmbeddedComponent {
  std::unique_ptr<Registry> registry;  // whose plugins made it
  std::shared_ptr<const void> component;
  SpecNode resolved;
};

/// `text`: a name, or a mapping of YAML; `plugin_path` among its keys names folders or files of plugins, a text or a
/// list. `path`: what errors call it. Looks only at libraries of the installation that have a name that stands there,
/// and at all where that is not enough. Throws SpecError, SettingsError, PluginError, DataError.
EmbeddedComponent component_of(const std::string& kind, const std::string& path, const std::string& text);

}  // namespace lopt
