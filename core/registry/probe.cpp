#include "registry/probe.h"

#include "registry/child_process.h"
#include "registry/library.h"

#include <fmt/format.h>
#include "data/json.h"

namespace lopt {
namespace {

constexpr double seconds_to_load = 2.5;

/// What the child says of one file.
std::string report_of(const std::string& path) {
  Json report;
  try {
    const std::shared_ptr<PluginLibrary> library = load_library(path);
    for (std::uint32_t i = 0; library->c_plugin && i < library->c_plugin->count; ++i) {
      const lopt_c_component& c = library->c_plugin->components[i];
      report["components"].push_back({c.kind, c.name, c.summary, "", "as its source says", "", "in C"});
    }
    for (std::uint32_t i = 0; library->manifest && i < library->manifest->component_count; ++i) {
      const lopt_component& c = library->manifest->components[i];
      report["components"].push_back({c.kind, c.name, c.summary, c.paper, c.licence, c.url, c.version});
    }
  } catch (const std::exception& refusal) {
    report["problem"] = refusal.what();
  } catch (...) {
    report["problem"] = path + ": throws something that is no std::exception while it is loaded";
  }
  return to_text(report);
}

ManifestReport manifest_of(const std::string& path, const std::string& report) {
  const Json json = parse_json(report);
  ManifestReport result{path, json.value("problem", ""), {}};
  if (!result.problem.empty()) return result;
  for (const auto& row : json.at("components"))
    result.components.push_back(
        {row.at(0), row.at(1), row.at(2), row.at(3), row.at(4), row.at(5), row.at(6), path, {}});
  return result;
}

}  // namespace

std::vector<ManifestReport> read_manifests(const std::vector<std::string>& paths) {
  std::vector<ManifestReport> result;
  while (result.size() < paths.size()) {
    const std::size_t first = result.size();
    const ChildEnd end = run_in_child(
        [&](const SendReport& send) {
          for (std::size_t i = first; i < paths.size(); ++i) send(report_of(paths[i]));
        },
        seconds_to_load);
    for (const std::string& report : end.reports) result.push_back(manifest_of(paths[result.size()], report));
    if (end.finished || result.size() == paths.size()) continue;
    const std::string& path = paths[result.size()];
    result.push_back({path, fmt::format("{}: is refused: {} while it was loaded", path, end.how), {}});
  }
  return result;
}

}  // namespace lopt
