// lopt-run check, sample, plan, list and describe: looking without running.
#include "kernels/kernels.h"
#include "learn/meta_training.h"
#include "plan/cost.h"
#include "report/text_width.h"
#include "run/command_line.h"
#include "spec/compose.h"

#include <lopt/features.h>
#include <lopt/schedule.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <filesystem>

namespace lopt {
namespace {

namespace po = boost::program_options;

std::string value_text(const Declaration& d) {
  std::vector<std::string> facts;
  if (!d.choices.empty()) facts.push_back(fmt::format("one of {}", fmt::join(d.choices, ", ")));
  if (const std::string range = range_text(d); !range.empty()) facts.push_back(range);
  if (!d.unit.empty()) facts.push_back("in " + d.unit);
  facts.push_back(d.required ? "required" : d.default_text.empty() ? "default empty" : "default " + d.default_text);
  return fmt::format("{}", fmt::join(facts, ", "));
}

}  // namespace

int run_check(int argc, char** argv) {
  Options o;
  bool print = false;
  po::options_description description = spec_options(o);
  description.add_options()("print", po::bool_switch(&print), "the whole spec, each value with where it came from");
  const std::string usage = "lopt-run check SPEC [key.path=value …] [options]";
  const auto values = options::parse(argc, argv, description, usage,
                                     "Reads a spec, its plugins and its data, traces its programs, and reports "
                                     "everything that is wrong, without running it. `-` reads it from standard input.");
  if (!values) return success;
  take_positional(*values, o, usage);
  Registry registry;
  SpecNode written;
  const Experiment experiment = experiment_of(o, registry, &written);
  if (print) {
    fmt::print("{}", to_yaml_with_places(experiment.resolved, written));
    return success;
  }
  if (experiment.kind == Experiment::Kind::meta_training)
    MetaTraining(experiment, 1);
  else
    make_inner_training(experiment, 1);
  fmt::print("{}: fine\n", o.spec);
  return success;
}

int run_sample(int argc, char** argv) {
  Options o;
  const std::string usage = "lopt-run sample SPEC [COUNT] [key.path=value …] [options]";
  std::size_t count = 8;
  const auto values =
      options::parse(argc, argv, spec_options(o), usage,
                     "Draws COUNT problems (8, unless it says otherwise) from a spec's task family, as "
                     "a meta-training draws them, and shows\nwhich members they are, with all settings.");
  if (!values) return success;
  take_positional(*values, o, usage);
  if (!o.overrides.empty() && o.overrides.front().find('=') == std::string::npos) {
    const std::string text = o.overrides.front();
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
    if (error != std::errc() || end != text.data() + text.size() || count < 1 || count > 1'000'000)
      throw UsageError(fmt::format("{}\n'{}' is no count", usage, text));
    o.overrides.erase(o.overrides.begin());
  }
  Registry registry;
  const Experiment experiment = experiment_of(o, registry);
  const TaskFamily& family = *experiment.family;
  fmt::print("{} of {} members\n", count, family.size());
  const std::vector<HostKey> keys = split(HostKey::from_seed(experiment.seed), static_cast<int>(count));
  for (const HostKey key : keys) {
    const std::size_t member = family.sample(key);
    const std::string text = family.description(member);
    fmt::print("  {:>4}  {}\n", member, text.empty() ? "(its family says nothing of it)" : text);
  }
  return success;
}

namespace {
/// Each kernel of a plan: what it does, its work, and the time it takes beside what that work takes at full speed.
void print_plan(const Executable& executable, double flop_per_second, double bytes_per_second) {
  const Plan& plan = executable.plan();
  const std::vector<double> seconds = executable.time_kernels();
  Cost total;
  double total_seconds = 0, total_estimate = 0;
  fmt::print("{}: {} kernels, arena {:.0f} KB, scratch {:.0f} KB a thread\n", plan.name, plan.kernels.size(),
             static_cast<double>(plan.arena_bytes) / 1024, static_cast<double>(plan.scratch_bytes) / 1024);
  fmt::print("  {:>9} {:>8} {:>9} {:>9}\n", "kFLOP", "KB", "est. µs", "µs");
  for (std::size_t k = 0; k < plan.kernels.size(); ++k) {
    const Cost cost = cost_of(plan.kernels[k], plan);
    const double estimate = std::max(cost.flop / flop_per_second, cost.bytes / bytes_per_second);
    fmt::print("  {:>9.1f} {:>8.1f} {:>9.2f} {:>9.2f}  {}\n", cost.flop / 1e3, cost.bytes / 1024, estimate * 1e6,
               seconds[k] * 1e6, describe(plan.kernels[k]));
    total.flop += cost.flop;
    total.bytes += cost.bytes;
    total_seconds += seconds[k];
    total_estimate += estimate;
  }
  fmt::print("  {:>9.1f} {:>8.1f} {:>9.2f} {:>9.2f}  in all: {:.1f} GFLOP/s\n\n", total.flop / 1e3, total.bytes / 1024,
             total_estimate * 1e6, total_seconds * 1e6, total.flop / total_seconds / 1e9);
}
}  // namespace

int run_plan(int argc, char** argv) {
  Options o;
  const std::string usage = "lopt-run plan SPEC [key.path=value …] [options]";
  const auto values =
      options::parse(argc, argv, spec_options(o), usage,
                     "Shows the plans of a spec's programs: the kernels, what is fused in each, FLOP and bytes, and "
                     "measured time beside\n"
                     "an estimate: the larger of FLOP at this processor's peak and bytes at its second cache's pace.");
  if (!values) return success;
  take_positional(*values, o, usage);
  Registry registry;
  const Experiment experiment = experiment_of(o, registry);
  const double peak = kernels::measured_peak_flops(), pace = 60e9;
  fmt::print("SIMD level {}, peak of one thread {:.1f} GFLOP/s\n\n", kernels::simd_level(), peak / 1e9);
  auto print_problem = [&](const InnerProblem& problem, bool gradients) {
    print_plan(problem.start(), peak, pace);
    print_plan(problem.step(), peak, pace);
    if (gradients) print_plan(problem.step_gradient({true, true}), peak, pace);
  };
  if (experiment.kind == Experiment::Kind::meta_training) {
    const MetaTraining training(experiment, 1);
    for (std::size_t task = 0; task < experiment.family->size(); ++task)
      print_problem(training.unroller().problem(task), true);
  } else {
    const auto training = make_inner_training(experiment, 1);
    for (std::size_t task = 0; task < experiment.family->size(); ++task)
      print_problem(training->unroller().problem(task), false);
  }
  return success;
}

namespace {
int describe_schedules(Registry& registry) {
  fmt::print(
      "Every rate takes a number or a schedule, as in\n\n"
      "  learning_rate: {{plugin: warm_up, steps: 100, then: {{plugin: cosine, value: 0.01}}}}\n\n"
      "The first update takes the schedule at step 0, the last at steps − 1. A warm-up of n steps gives (i + 1)/n of "
      "what\nfollows, so that no update is made at rate 0, and what follows counts from its end. A schedule knows how "
      "many steps\nthe run has. `lopt-run preview SPEC --rate optimizer.learning_rate` draws one.\n");
  for (const ComponentInfo& c : registry.components()) {
    if (c.kind != Schedule::kind) continue;
    fmt::print("\n{:<20} {}\n", c.name, c.summary);
    for (const Declaration& d : registry.describe(c))
      fmt::print("  {:<18} {:<9} {} ({})\n", d.name, d.type, d.documentation, value_text(d));
  }
  return success;
}

int describe_features() {
  fmt::print(
      "Features of learned optimizers, as in `features: [parameter, momentum 0.99, normalized gradient, step]`.\n"
      "A decay that is not written is the default; `normalized` before a name divides by the root mean square in the "
      "tensor.\n\n");
  for (const FeatureInfo& feature : feature_list()) fmt::print("  {:<30} {}\n", feature.usage, feature.meaning);
  return success;
}
}  // namespace

namespace {
/// A text of at most `width` characters of UTF-8, cut at a word.
std::string shortened(const std::string& text, std::size_t width) {
  if (characters_in(text) <= width) return text;
  std::size_t end = text.rfind(' ');
  while (end != std::string::npos && end > 0 && characters_in(std::string_view(text).substr(0, end)) >= width)
    end = text.rfind(' ', end - 1);
  return (end == std::string::npos || end == 0 ? text : text.substr(0, end)) + "…";
}
}  // namespace

int run_list(int argc, char** argv) {
  std::vector<std::string> plugin_paths;
  po::options_description description;
  description.add_options()("plugin-path", po::value(&plugin_paths),
                            "folder or file with plugins; may be given more than once");
  bool with_files = false;
  description.add_options()("long", po::bool_switch(&with_files), "their files too, and how those were found");
  const auto values = options::parse(
      argc, argv, description, "lopt-run list [options], lopt-run list runs [FOLDER]",
      "Shows the plugins that are found, by kind, a line each, and the files that are refused, and why. `list runs` "
      "shows the\nruns in a folder (runs/, unless it says otherwise), a line each, with what came out.");
  if (!values) return success;
  if (const std::vector<std::string> words = options::positional(*values); !words.empty()) {
    if (words[0] != "runs" || words.size() > 2)
      throw UsageError(
          fmt::format("'{}' is nothing to list; usage: lopt-run list, or lopt-run list runs [FOLDER]", words[0]));
    return list_runs(words.size() == 2 ? words[1] : "runs");
  }
  Registry registry;
  for (const std::string& path : plugin_paths) {
    if (!std::filesystem::exists(path)) throw PluginError(path + ": there is no such plugin file or folder");
    registry.add_path(path, "--plugin-path", false);
  }
  registry.add_default_paths();
  for (const std::string& kind : component_kinds()) {
    bool any = false;
    for (const ComponentInfo& c : registry.components()) {
      if (c.kind != kind) continue;
      if (!any) fmt::print("{}\n", kind);
      any = true;
      fmt::print("  {:<22} {}\n", c.name, shortened(c.summary, with_files ? 1000 : 55));
      if (with_files) fmt::print("  {:<22} {} ({})\n", "", c.library_path, c.source);
      if (registry.find(kind, c.name).size() > 1)
        fmt::print("  {:<22} more than one library offers it; in a spec: {}/{}\n", "",
                   std::filesystem::path(c.library_path).stem().string(), c.name);
    }
  }
  for (const RefusedLibrary& refused : registry.refused())
    fmt::print("refused  {} ({})\n", refused.reason, refused.source);
  return success;
}

int run_describe(int argc, char** argv) {
  std::vector<std::string> plugin_paths;
  po::options_description description;
  description.add_options()("plugin-path", po::value(&plugin_paths),
                            "folder or file with plugins; may be given more than once");
  const std::string usage = "lopt-run describe NAME [options]";
  const auto values = options::parse(argc, argv, description, usage,
                                     "Explains a plugin: what it is, where it was published, and its settings with "
                                     "their types, ranges, defaults and units.");
  if (!values) return success;
  const std::vector<std::string> names = options::positional(*values);
  if (names.size() != 1) throw UsageError("which plugin? usage: " + usage);
  if (names[0] == "features") return describe_features();
  Registry registry = make_registry(plugin_paths);
  if (names[0] == "schedules") return describe_schedules(registry);
  bool found = false;
  std::vector<std::string> known;
  for (const ComponentInfo& c : registry.components()) {
    known.push_back(c.name);
    if (c.name != names[0]) continue;
    fmt::print("{}{} ({})\n{}\n", found ? "\n" : "", c.name, c.kind, c.summary);
    if (!c.paper.empty()) fmt::print("Paper: {}\n", c.paper);
    if (!c.url.empty()) fmt::print("See: {}\n", c.url);
    fmt::print("Version {}, licence {}, from {}\n", c.version, c.licence, c.library_path);
    const std::vector<Declaration> declarations = registry.describe(c);
    fmt::print("\nSettings:{}\n", declarations.empty() ? " none" : "");
    for (const Declaration& d : declarations)
      fmt::print("  {:<18} {:<10} {}\n  {:<18} {:<10} {}\n", d.name, d.type, d.documentation, "", "", value_text(d));
    found = true;
  }
  if (!found)
    throw UsageError(
        fmt::format("there is no plugin '{}'{}; `lopt-run list` shows all", names[0], did_you_mean(names[0], known)));
  return success;
}

}  // namespace lopt
