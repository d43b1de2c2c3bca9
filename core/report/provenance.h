#pragma once
// Which plugins a run used, down to their bytes.

#include "registry/registry.h"

#include "data/json.h"

namespace lopt {

/// For run.json: path, SHA-256 and components of each library used.
Json plugins_json(const Registry& registry);

/// A sentence for each component that an earlier run (its run.json) had from other bytes than this one has.
std::vector<std::string> changed_plugins(const Json& earlier, const Registry& registry);

}  // namespace lopt
