#pragma once
// Which plugins a run used, down to their bytes.

#include "registry/registry.h"

#include <nlohmann/json.hpp>

namespace lopt {

/// For run.json: path, SHA-256 and components of each library used.
nlohmann::ordered_json plugins_json(const Registry& registry);

/// A sentence for each component that an earlier run (its run.json) had from other bytes than this one has.
std::vector<std::string> changed_plugins(const nlohmann::ordered_json& earlier, const Registry& registry);

}  // namespace lopt
