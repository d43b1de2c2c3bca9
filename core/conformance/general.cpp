// Checks of every component: what it says of itself, its settings, and that nothing is kept between calls.
#include "conformance/behaviour.h"
#include "conformance/check.h"
#include "registry/library.h"

#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <cmath>
#include <filesystem>
#include <sys/resource.h>
#include <thread>

namespace lopt {
namespace {

Outcome load_twice(Subject& s) {
  namespace fs = std::filesystem;
  if (s.component.is_foreign) return skip("it is in no library");
  const std::shared_ptr<const void> first = s.make();
  const fs::path copy = fs::temp_directory_path() / fmt::format("lopt-copy-{}.so", ::getpid());
  fs::copy_file(s.component.library_path, copy, fs::copy_options::overwrite_existing);
  ComponentInfo again = s.component;
  again.library_path = copy.string();
  try {
    const Subject second{s.registry, again, s.settings};
    static_cast<void>(second.make());
  } catch (...) {
    fs::remove(copy);
    throw;
  }
  fs::remove(copy);
  return pass();
}

Outcome description(Subject& s) {
  const ComponentInfo& c = s.component;
  if (c.summary.empty())
    return fail(c.is_foreign ? "has no docstring" : "has no summary: About{.summary = …} in LOPT_PLUGIN");
  if (c.summary.find('\n') != std::string::npos) return fail("has a summary of more than one line");
  if (c.is_foreign) return pass(fmt::format("{} settings", s.declarations().size()));
  if (c.licence.empty()) return fail("has no licence");
  if (c.version.empty()) return fail("has no version");
  for (const Declaration& d : s.declarations()) {
    if (d.documentation.empty()) return fail(fmt::format("the setting '{}' has no doc()", d.name));
  }
  return pass(fmt::format("{} settings", s.declarations().size()));
}

/// Lists are as they stand in a spec.
SpecNode one(const std::string& name, const std::string& value) {
  if (value.starts_with('[')) return parse_spec(fmt::format("{}: {}", name, value), "the default");
  return SpecNode::mapping({{name, SpecNode::scalar(value)}});
}

/// What is wrong with making the component with a setting of this value; nothing where it is made.
std::string problem_with(const Subject& s, const std::string& name, const std::string& value) {
  try {
    static_cast<void>(s.make(value.starts_with('{') ? SpecNode::mapping({{name, parse_spec(value, "a default")}})
                                                    : one(name, value)));
    return "";
  } catch (const std::exception& error) {
    return error.what();
  }
}

/// A number of a setting's type, of that sign and size.
std::string number_text(const Declaration& d, double value) {
  return d.type == "real" ? fmt::format("{}", value) : fmt::format("{}", static_cast<std::int64_t>(value));
}

/// Both limits of a number are accepted, and what is beyond them is refused.
std::string limits_problem(const Subject& s, const Declaration& d) {
  const bool real = d.type == "real";
  for (const bool high : {false, true}) {
    const double limit = high ? d.high : d.low, sign = high ? 1 : -1;
    if (!std::isfinite(limit)) {
      const std::string far = number_text(d, sign * 1e9);
      if (const std::string problem = problem_with(s, d.name, far); !problem.empty())
        return fmt::format("{} declares no limit but does not take {}: {}", d.name, far, problem);
      continue;
    }
    const double step = real ? std::max(std::abs(limit), 1e-3) * 1e-6 : 1;
    const bool is_out = high ? d.high_is_out : d.low_is_out;
    const std::string inside = number_text(d, is_out ? limit - sign * step : limit),
                      outside = number_text(d, is_out ? limit : limit + sign * step);
    if (const std::string problem = problem_with(s, d.name, inside); !problem.empty())
      return fmt::format("{} = {} is within its declared range but not taken: {}", d.name, inside, problem);
    if (problem_with(s, d.name, outside).empty())
      return fmt::format("{} = {} is beyond its declared range but taken", d.name, outside);
  }
  return "";
}

Outcome settings(Subject& s) {
  for (const Declaration& d : s.declarations())
    if (d.required && !s.settings.find(d.name))
      return fail(fmt::format("'{0}' has no default; give it: lopt-run check-plugin FILE {0}=…", d.name));
  static_cast<void>(s.make());
  int tried = 0;
  for (const Declaration& d : s.declarations()) {
    if (!d.default_text.empty() && s.settings.find(d.name) == nullptr)
      if (const std::string problem = d.type == "text" ? "" : problem_with(s, d.name, d.default_text); !problem.empty())
        return fail(fmt::format("the default of {} is not taken as a value: {}", d.name, problem));
    if (d.type == "real" || d.type == "integer") {
      if (const std::string problem = limits_problem(s, d); !problem.empty()) return fail(problem);
      ++tried;
    }
    for (const std::string& choice : d.choices)
      if (const std::string problem = problem_with(s, d.name, choice); !problem.empty())
        return fail(fmt::format("{} = {} is among its choices but not taken: {}", d.name, choice, problem));
  }
  return pass(fmt::format("limits of {} numbers", tried));
}

Outcome calls(Subject& s) {
  static_cast<void>(behaviour_of(s.component.kind, s.make()));
  return pass();
}

Outcome deterministic(Subject& s) {
  const auto object = s.make();
  const std::string first = behaviour_of(s.component.kind, object);
  for (int time = 0; time < 3; ++time)
    if (behaviour_of(s.component.kind, object) != first)
      return fail("the same calls on one object do not give the same: it keeps something between calls, or is random");
  return pass();
}

/// Another value than the default that a number may have, or nothing.
std::string other_value(const Declaration& d) {
  const double usual = std::strtod(d.default_text.c_str(), nullptr);
  for (double value : {usual / 2, usual + 1, usual - 1, (d.low + d.high) / 2}) {
    if (d.type == "integer") value = std::floor(value);
    if (!std::isfinite(value) || value == usual || value < d.low || value > d.high ||
        (d.low_is_out && value == d.low) || (d.high_is_out && value == d.high))
      continue;
    return number_text(d, value);
  }
  return "";
}

Outcome instances(Subject& s) {
  const auto object = s.make();
  const std::string alone = behaviour_of(s.component.kind, object);
  SpecNode others = SpecNode::mapping();
  for (const Declaration& d : s.declarations())
    if (d.type == "real" && !d.default_text.empty()) others.set(d.name, SpecNode::scalar(other_value(d)));
  const auto other = s.make(others);
  static_cast<void>(behaviour_of(s.component.kind, other));
  if (behaviour_of(s.component.kind, object) != alone)
    return fail("an object behaves differently once another one of other settings was made and used");
  return pass();
}

Outcome two_threads(Subject& s) {
  const std::string kind = s.component.kind;
  const std::shared_ptr<const void> objects[] = {s.make(), s.make()};
  const std::string alone = behaviour_of(kind, objects[0]);
  std::atomic<int> waiting = 2, different = 0;
  const auto work = [&](int which) {
    --waiting;
    while (waiting > 0) std::this_thread::yield();
    for (int time = 0; time < 3; ++time) different += behaviour_of(kind, objects[which]) != alone;
  };
  std::thread other(work, 1);
  work(0);
  other.join();
  if (different > 0)
    return fail(
        fmt::format("two objects used by two threads at once differ from one alone, {} times of 6", different.load()));
  return pass();
}

double megabytes_at_most() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

Outcome cost(Subject& s) {
  using Clock = std::chrono::steady_clock;
  const double before = megabytes_at_most();
  const auto start = Clock::now();
  const auto object = s.make();
  if (s.component.kind == Dataset::kind) {
    static_cast<void>(static_cast<const Dataset*>(object.get())->examples(Split::train));
  } else {
    static_cast<void>(behaviour_of(s.component.kind, object));
  }
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  const double megabytes = megabytes_at_most() - before;
  const std::string text = fmt::format("{:.1f} ms, {:.1f} MB", seconds * 1e3, megabytes);
  if (seconds > 2) return fail(text + ": more than 2 s");
  if (megabytes > 512 && s.component.kind != Dataset::kind) return fail(text + ": more than 512 MB");
  return pass(text);
}

}  // namespace

std::vector<Check> general_checks() {
  return {{"settings", {}, {}, settings},
          {"description", {}, {}, description},
          {"load_twice", {}, {"settings"}, load_twice}};
}

std::vector<Check> behaviour_checks() {
  return {{"calls", {}, {"settings"}, calls},
          {"deterministic", {}, {"calls"}, deterministic},
          {"instances", {}, {"deterministic"}, instances},
          {"two_threads", {}, {"deterministic"}, two_threads},
          {"init_cost", {}, {"calls"}, cost}};
}

}  // namespace lopt
