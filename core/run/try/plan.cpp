// lopt-run plan: what a spec's programs become, and what that costs.
#include "kernels/kernels.h"
#include "learn/meta_training.h"
#include "learn/training.h"
#include "plan/cost.h"
#include "run/command_line.h"

#include <fmt/format.h>

namespace lopt {
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
  if (!parse_spec_call(
          argc, argv, spec_options(o), o, usage,
          "Shows the plans of a spec's programs: the kernels, what is fused in each, FLOP and bytes, and measured time "
          "beside an estimate: the larger of FLOP at this processor's peak and bytes at its second cache's pace, and "
          "five times that pace for the KB of rows that are turned into columns or back."))
    return success;
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
