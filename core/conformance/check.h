#pragma once
// Conformance: what an author wants to know of a plugin before others use it. Each check runs in a child process.

#include "conformance/subject.h"

#include <functional>

namespace lopt {

/// What a check found.
struct Outcome {
  enum class Verdict : std::uint8_t { passed, failed, skipped };
  Verdict verdict = Verdict::passed;
  std::string text;  // a figure, or what is wrong, or why it was not run
};
inline Outcome pass(std::string text = "") { return {Outcome::Verdict::passed, std::move(text)}; }
inline Outcome fail(std::string text) { return {Outcome::Verdict::failed, std::move(text)}; }
inline Outcome skip(std::string text) { return {Outcome::Verdict::skipped, std::move(text)}; }

struct Check {
  std::string name;
  std::vector<std::string> kinds;  // of components that it is for; empty: all
  std::vector<std::string> needs;  // checks without which it says nothing
  Outcome (*run)(Subject& subject) = nullptr;
};

/// Every check of components, in the order in which they run.
std::vector<Check> all_checks();

// The checks by what they look at.
std::vector<Check> general_checks();
std::vector<Check> behaviour_checks();
std::vector<Check> optimizer_checks();
std::vector<Check> zero_checks();
std::vector<Check> task_checks();
std::vector<Check> estimator_checks();
std::vector<Check> dataset_checks();
std::vector<Check> schedule_checks();

/// Calls `report` with each check's name and outcome, of all components of a plugin file. After a check that took
/// longer than `seconds` the rest is not run. `registry` knows the file and the usual paths; `settings` are given to
/// every component that declares them. Returns true where nothing failed.
using ReportCheck = std::function<void(const ComponentInfo*, const std::string& name, const Outcome&)>;
bool check_plugin(const std::string& file, const SpecNode& settings, Registry& registry, double seconds,
                  const ReportCheck& report);

/// What the library of the checks exports as `lopt_check_plugin`: check_plugin(), with what it throws as a text.
using CheckPlugin = bool(const std::string& file, const SpecNode& settings, Registry& registry, double seconds,
                         const ReportCheck& report, std::string& error);

}  // namespace lopt
