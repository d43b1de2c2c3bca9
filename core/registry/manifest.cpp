// What a manifest must be.
#include "registry/library.h"
#include "registry/registry.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace lopt {

std::vector<std::string> component_kinds() {
  return {Task::kind,     TaskFamily::kind,       Dataset::kind,          Optimizer::kind,
          Schedule::kind, LearnedOptimizer::kind, GradientEstimator::kind};
}

namespace {

bool is_component_name(std::string_view name) {
  const auto fits = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; };
  return !name.empty() && std::all_of(name.begin(), name.end(), fits);
}

std::string component_problem(const lopt_component& component) {
  const char* texts[] = {component.kind,    component.name, component.summary, component.paper,
                         component.licence, component.url,  component.version};
  for (const char* text : texts)
    if (!text) return "a component in its manifest has a null text";
  if (!component.create || !component.destroy)
    return fmt::format("the component '{}' in its manifest has no create or no destroy function", component.name);
  const std::vector<std::string> kinds = component_kinds();
  if (std::find(kinds.begin(), kinds.end(), component.kind) == kinds.end())
    return fmt::format("the component '{}' is of the kind '{}', which does not exist", component.name, component.kind);
  if (!is_component_name(component.name))
    return fmt::format("the component name '{}' has other characters than a-z, 0-9 and _", component.name);
  return "";
}

}  // namespace

std::string manifest_problem(const lopt_manifest& manifest) {
  if (std::memcmp(manifest.magic, manifest_magic, sizeof manifest_magic) != 0)
    return "its manifest does not begin with lopt's magic";
  if (manifest.api_version != api_version)
    return fmt::format(
        "it was built for API version {} of lopt, this runner has {}; build it again with this runner's lopt "
        "(`cmake --build ITS_BUILD_FOLDER --clean-first`); CHANGELOG.md says what changed between the two",
        manifest.api_version, api_version);
  if (manifest.struct_size != sizeof(lopt_manifest) || manifest.component_size != sizeof(lopt_component))
    return fmt::format("its manifest has {} and {} bytes, this runner's has {} and {}; build it again",
                       manifest.struct_size, manifest.component_size, sizeof(lopt_manifest), sizeof(lopt_component));
  if (!manifest.fingerprint || std::strcmp(manifest.fingerprint, fingerprint) != 0)
    return fmt::format(
        "it was built as '{}', this runner as '{}'; build it with the same compiler and standard library",
        manifest.fingerprint ? manifest.fingerprint : "", fingerprint);
  if (!manifest.components || manifest.component_count == 0) return "its manifest lists no components";
  std::set<std::pair<std::string, std::string>> names;
  for (std::uint32_t i = 0; i < manifest.component_count; ++i) {
    const lopt_component& component = manifest.components[i];
    if (std::string problem = component_problem(component); !problem.empty()) return problem;
    if (!names.emplace(component.kind, component.name).second)
      return fmt::format("its manifest lists the {} '{}' twice", component.kind, component.name);
  }
  return "";
}

}  // namespace lopt
