#include "conformance/check.h"
#include "registry/child_process.h"
#include "registry/foreign.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

namespace lopt {
namespace {

/// A child's report: a letter, and the text.
std::string packed(const Outcome& outcome) { return "pfs"[static_cast<std::size_t>(outcome.verdict)] + outcome.text; }
Outcome unpacked(const std::string& report) {
  const std::string letters = "pfs";
  return {static_cast<Outcome::Verdict>(letters.find(report.at(0))), report.substr(1)};
}

/// Runs a check in a child process. Sets `late` where it had to be ended.
Outcome run_check_apart(const Check& check, Subject& subject, double seconds, bool& late) {
  const ChildEnd end = run_in_child(
      [&](const SendReport& send) {
        try {
          send(packed(check.run(subject)));
        } catch (const std::exception& error) {
          send(packed(fail(error.what())));
        }
      },
      seconds);
  if (!end.reports.empty()) return unpacked(end.reports[0]);
  late = end.late;
  return fail(end.how);
}

bool is_for(const Check& check, const ComponentInfo& component) {
  return check.kinds.empty() || std::find(check.kinds.begin(), check.kinds.end(), component.kind) != check.kinds.end();
}

}  // namespace

std::vector<Check> all_checks() {
  std::vector<Check> all;
  for (auto* list : {general_checks, behaviour_checks, optimizer_checks, zero_checks, task_checks, estimator_checks,
                     dataset_checks, schedule_checks})
    for (Check& check : list()) all.push_back(std::move(check));
  return all;
}

namespace {
/// The components of a file, or the one that is described in another language.
std::vector<ComponentInfo> components_of(const std::string& file, Registry& registry) {
  if (is_foreign_name(file) && !std::filesystem::exists(file)) return {registry.foreign().find(file, "")};
  const std::string canonical = std::filesystem::weakly_canonical(file).string();
  std::vector<ComponentInfo> components;
  for (const ComponentInfo& component : registry.components())
    if (std::filesystem::weakly_canonical(component.library_path).string() == canonical)
      components.push_back(component);
  return components;
}
}  // namespace

bool check_plugin(const std::string& file, const SpecNode& settings, Registry& registry, double seconds,
                  const ReportCheck& report) {
  const std::vector<ComponentInfo> components = components_of(file, registry);
  report(nullptr, "manifest",
         pass(fmt::format("{} component{}", components.size(), components.size() == 1 ? "" : "s")));
  bool good = true, late = false;
  for (const ComponentInfo& component : components) {
    Subject subject{registry, component, settings};
    std::set<std::string> sound;
    for (const Check& check : all_checks()) {
      if (!is_for(check, component)) continue;
      const auto missing = std::find_if(check.needs.begin(), check.needs.end(),
                                        [&](const std::string& need) { return !sound.contains(need); });
      Outcome outcome;
      if (late)
        outcome = skip("not run after a check that took too long");
      else if (missing != check.needs.end())
        outcome = skip("needs " + *missing);
      else
        outcome = run_check_apart(check, subject, seconds, late);
      if (outcome.verdict == Outcome::Verdict::passed) sound.insert(check.name);
      good = good && outcome.verdict != Outcome::Verdict::failed;
      report(&component, check.name, outcome);
    }
  }
  return good;
}

}  // namespace lopt

extern "C" __attribute__((visibility("default"))) bool lopt_check_plugin(const std::string& file,
                                                                         const lopt::SpecNode& settings,
                                                                         lopt::Registry& registry, double seconds,
                                                                         const lopt::ReportCheck& report,
                                                                         std::string& error) {
  try {
    return lopt::check_plugin(file, settings, registry, seconds, report);
  } catch (const std::exception& exception) {
    error = exception.what();
    return false;
  }
}
