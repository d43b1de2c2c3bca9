#pragma once
// What stands behind `optimizer:` in a spec, made for another program.

#include "registry/registry.h"

#include <lopt/optimizer.h>

namespace lopt {

struct EmbeddedSpec {
  std::unique_ptr<Registry> registry;  // whose plugins made it
  std::shared_ptr<const Optimizer> optimizer;
  std::string rule;  // "adam"; of a learned optimizer "learned steered"
};

/// `text`: a name, or a mapping of YAML; `plugin_path` among its keys names folders or files of plugins, a text or a
/// list. Looks only at libraries of the installation that have a name that stands there, and at all where that is not
/// enough. Throws SpecError, SettingsError, PluginError, DataError.
EmbeddedSpec optimizer_of(const std::string& text);

}  // namespace lopt
