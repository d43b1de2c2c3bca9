// lopt-run replay-updates: a rule beside another program's.
#include "learn/replay_updates.h"

#include "learn/theta_file.h"
#include "learn/training.h"
#include "run/command_line.h"

#include <fmt/format.h>

#include <algorithm>

namespace lopt {
namespace {

/// The rule that "optimizer=…" or "learned_optimizer=…" asks for, and its θ.
struct Rule {
  OptimizerSource source;
  Values theta{std::vector<Values::Entry>{}};
};
Rule rule_of(const std::string& assignment, const RecordedUpdates& updates, const std::string& path,
             Registry& registry) {
  SpecNode spec = SpecNode::mapping();
  apply_override(spec, assignment);
  name_learned_rules(spec);
  const std::string kind = spec.entries.empty() ? "" : spec.entries[0].first;
  if (kind != Optimizer::kind && kind != LearnedOptimizer::kind)
    throw UsageError(fmt::format("'{}' is no rule; write optimizer={{plugin: adam}} or learned_optimizer={{plugin: …}}",
                                 assignment));
  SpecErrors errors;
  SpecNode resolved;
  const std::shared_ptr<const void> made = registry.make(kind, spec.entries[0].second, kind, errors, resolved);
  errors.raise();
  if (kind == Optimizer::kind) return {source_of(std::static_pointer_cast<const Optimizer>(made))};
  const auto learned = std::static_pointer_cast<const LearnedOptimizer>(made);
  return {source_of(learned), theta_of(updates, types_of(initial_theta(*learned, 0)), path)};
}

void print_differences(const UpdateDifferences& differences, double tolerance) {
  std::size_t width = 5;
  for (const std::string& leaf : differences.leaves) width = std::max(width, leaf.size());
  fmt::print("largest difference of a leaf after each step, relative to its largest element\n  {:<{}}", "leaf", width);
  for (std::size_t step = 0; step < differences.steps.size(); ++step) fmt::print(" {:>7}", step);
  fmt::print("\n");
  for (std::size_t leaf = 0; leaf < differences.leaves.size(); ++leaf) {
    fmt::print("  {:<{}}", differences.leaves[leaf], width);
    for (const auto& step : differences.steps)
      fmt::print(" {:>7.0e}{}", step[leaf], step[leaf] <= tolerance ? "" : "!");
    fmt::print("\n");
  }
}

}  // namespace

int run_replay_updates(int argc, char** argv) {
  std::vector<std::string> plugin_paths;
  double tolerance = 1e-4;
  std::int64_t num_steps = 100;
  boost::program_options::options_description description;
  description.add_options()("tolerance", boost::program_options::value(&tolerance),
                            "largest relative difference that passes (default: 1e-4)")(
      "num-steps", boost::program_options::value(&num_steps),
      "how many steps the rule is told there are (default: 100)")(
      "plugin-path", boost::program_options::value(&plugin_paths),
      "folder or file with plugins; may be given more than once");
  const std::string usage = "lopt-run replay-updates FILE.npz 'optimizer={plugin: adam}' [options]";
  const auto values = options::parse(
      argc, argv, description, usage,
      "Feeds another program's gradients and losses to an optimizer, or to a learned_optimizer with the file's θ, and "
      "compares the parameters after each step. The file has param_0/LEAF, and for each step K = 0, 1, … grad_K/LEAF "
      "and param_K+1/LEAF; loss [steps]; theta/LEAF. Exit code 1 where a difference is beyond the tolerance.");
  if (!values) return success;
  const std::vector<std::string> words = options::positional(*values);
  if (words.size() != 2) throw UsageError("which file, and which rule? usage: " + usage);
  if (!(tolerance >= 0)) throw UsageError("--tolerance must be at least 0");
  if (num_steps < 0) throw UsageError("--num-steps must be at least 0");
  const RecordedUpdates updates = read_updates(words[0]);
  Registry registry = make_registry(plugin_paths);
  const Rule rule = rule_of(words[1], updates, words[0], registry);
  const UpdateDifferences differences = replay_updates(updates, rule.source, rule.theta, num_steps);
  print_differences(differences, tolerance);
  double worst = 0;
  for (const auto& step : differences.steps) worst = std::max(worst, *std::max_element(step.begin(), step.end()));
  fmt::print("{} steps of {} leaves: at most {:.2g}, tolerance {:.2g}: {}\n", differences.steps.size(),
             differences.leaves.size(), worst, tolerance, worst <= tolerance ? "they agree" : "they differ");
  return worst <= tolerance ? success : failed;
}

}  // namespace lopt
