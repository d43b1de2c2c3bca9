#pragma once
// What specs may hold, for programs that check and complete them: JSON Schema (2020-12).

#include "data/json.h"
#include "registry/registry.h"

namespace lopt {

/// A schema of experiments and evaluations with the settings of every plugin that is found. A spec with `optimizers` is
/// an evaluation. Where a spec builds on another (`extends`, `stages`), mappings without a `plugin` are not looked
/// into. `foreign`: components in another language, as "my_module.Momentum", whose settings are known too. Throws
/// SettingsError where there is none of such a name.
Json spec_schema(Registry& registry, const std::vector<std::string>& foreign = {});

}  // namespace lopt
