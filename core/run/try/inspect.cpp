// lopt-run check, sample and plan: looking without running.
#include "kernels/kernels.h"
#include "learn/evaluation.h"
#include "learn/paper_spec.h"
#include "learn/population.h"
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
  if (o.spec != "-" && read_spec(o.spec).find("optimizers")) {
    const Evaluated evaluated = load_evaluation(ready_spec(o, registry), registry);
    fmt::print("{}", print ? to_yaml(evaluated.resolved) : o.spec + ": fine\n");
    return success;
  }
  if (o.spec != "-" && read_spec(o.spec).find("claim")) {
    load_paper(read_spec(o.spec), std::filesystem::absolute(o.spec).parent_path().string());
    fmt::print("{}: fine\n", o.spec);
    return success;
  }
  SpecNode written;
  const Experiment experiment = experiment_of(o, registry, &written);
  if (print) {
    fmt::print("{}", to_yaml_with_places(experiment.resolved, written));
    return success;
  }
  if (experiment.population.size > 0)
    Population(experiment, registry, 1, nullptr);
  else if (experiment.kind == Experiment::Kind::meta_training)
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
  const auto print_row = [](const Cost& cost, double estimate, double measured, const std::string& what) {
    fmt::print("  {:>9.1f} {:>8.1f} {:>8.1f} {:>9.2f} {:>9.2f}  {}\n", cost.flop / 1e3, cost.bytes / 1024,
               cost.turned / 1024, estimate * 1e6, measured * 1e6, what);
  };
  fmt::print("{}: {} kernels, arena {:.0f} KB, scratch {:.0f} KB a thread\n", plan.name, plan.kernels.size(),
             static_cast<double>(plan.arena_bytes) / 1024, static_cast<double>(plan.scratch_bytes) / 1024);
  fmt::print("  {:>9} {:>8} {:>8} {:>9} {:>9}\n", "kFLOP", "KB", "turned", "est. µs", "µs");
  for (std::size_t k = 0; k < plan.kernels.size(); ++k) {
    const Cost cost = cost_of(plan.kernels[k], plan);
    const double estimate = cost.seconds(flop_per_second, bytes_per_second);
    print_row(cost, estimate, seconds[k], describe(plan.kernels[k]));
    total.flop += cost.flop;
    total.bytes += cost.bytes;
    total.turned += cost.turned;
    total_seconds += seconds[k];
    total_estimate += estimate;
  }
  print_row(total, total_estimate, total_seconds,
            fmt::format("in all: {:.1f} GFLOP/s\n", total.flop / total_seconds / 1e9));
}
}  // namespace

int run_plan(int argc, char** argv) {
  Options o;
  const std::string usage = "lopt-run plan SPEC [key.path=value …] [options]";
  const auto values = options::parse(
      argc, argv, spec_options(o), usage,
      "Shows the plans of a spec's programs: the kernels, what is fused in each, FLOP and bytes, and "
      "measured time beside\n"
      "an estimate: the larger of FLOP at this processor's peak and bytes at its second cache's pace, and "
      "five times that\n"
      "pace for the KB of rows that are turned into columns or back.");
  if (!values) return success;
  take_positional(*values, o, usage);
  Registry registry;
  const Experiment experiment = experiment_of(o, registry);
  const double peak = kernels::measured_peak_flops(), pace = 60e9;
  fmt::print("SIMD level {}, peak of one thread {:.1f} GFLOP/s\n\n", kernels::simd_level(), peak / 1e9);
  auto print_problem = [&](const InnerProblem& problem, bool gradients) {
    print_plan(problem.start(), peak, pace);
    print_plan(problem.step(), peak, pace);
    if (!gradients) return;
    print_plan(problem.step_gradient({true, true}), peak, pace);
    print_plan(problem.step_tangent({1, true}), peak, pace);
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

}  // namespace lopt
