// lopt-run new-experiment: a meta-training for a task of one's own, and its evaluation.
#include "run/command_line.h"

#include "data/durable_file.h"
#include "learn/schema.h"

#include <fmt/format.h>

#include <filesystem>

namespace lopt {
namespace {

namespace fs = std::filesystem;

constexpr int horizon = 200;
constexpr const char* schema_file = "lopt.schema.json";
/// With it, editors complete and check what a person writes.
constexpr const char* schema_line = "# yaml-language-server: $schema=lopt.schema.json";

/// A component that is a task or a family, at either key.
struct Problem {
  std::string name;
  bool is_family;
  std::string key() const { return is_family ? "task_family" : "task"; }
};

std::string spec_text(const Problem& problem, const std::string& paths) {
  return fmt::format(
      R"({4}
# A hybrid of an orthogonal, Adam's and the gradient's direction, meta-trained for {0}: it begins from the weights
# that come with lopt and learns what this problem wants. `lopt-run describe {0}` shows the settings that can stand here;
# `lopt-run describe steered` those of the rule.
name: {0}
seed: 1
steps: 400                       # meta-steps; more is better
{3}{1}: {0}
learned_optimizer: {{plugin: steered, rate: {{plugin: cosine, value: 0.08, end: 0.001}}}}
init_theta: general
estimator: {{plugin: pes, tasks: 16, unroll_length: 20, problem_length: {2}, truncation: log_uniform, least_length: 20, std: 0.02, loss_clip: 100}}
meta_objective: {{relative_to: {{tuned: adam}}}}    # losses count as shares of tuned Adam's
meta_optimizer: {{plugin: adam, learning_rate: {{plugin: cosine, value: 0.001, end: 0.0002}}}}
meta_gradient: {{clip_norm: 1}}
)",
      problem.name, problem.key(), horizon, paths, schema_line);
}

std::string evaluation_text(const Problem& problem, const std::string& folder, const std::string& paths) {
  return fmt::format(
      R"({5}
# Is what was trained better than Adam, tuned for each length?
name: {0}
steps: [{1}, {2}]                  # within the horizon of the meta-training, and far beyond it
seeds: 10
{4}tasks: {{{0}: {0}}}
optimizers:
  adam: {{tuned: adam}}
  adam, cosine: {{tuned: {{plugin: adam, learning_rate: {{plugin: cosine}}}}}}
  mine: {{plugin: learned, theta: {3}/run}}
  general: {{plugin: learned, theta: general}}    # what it began from
)",
      problem.name, horizon / 2, 5 * horizon, folder, paths, schema_line);
}

}  // namespace

int run_new_experiment(int argc, char** argv) {
  Options o;
  boost::program_options::options_description description;
  description.add_options()("out", boost::program_options::value(&o.out), "folder to write (default: NAME_experiment)")(
      "plugin-path", boost::program_options::value(&o.plugin_paths),
      "folder or file with plugins; may be given more than once");
  const std::string usage = "lopt-run new-experiment NAME [options]";
  const auto values =
      options::parse(argc, argv, description, usage,
                     "Writes the spec of a meta-training for the task or task family NAME (a plugin of lopt's or of "
                     "yours), and of an evaluation of what comes out beside tuned Adam. Both take minutes.");
  if (!values) return success;
  const std::vector<std::string> words = options::positional(*values);
  if (words.size() != 1) throw UsageError("for which task or family? usage: " + usage);
  Registry registry = make_registry(o.plugin_paths);
  const bool is_task = !registry.find(Task::kind, words[0]).empty();
  const Problem problem{words[0], !is_task};
  if (!is_task && registry.find(TaskFamily::kind, words[0]).empty())
    throw UsageError(
        fmt::format("there is no task or task family '{}'; `lopt-run list` shows them, and --plugin-path "
                    "says where yours is",
                    words[0]));
  const std::string folder = o.out.empty() ? words[0] + "_experiment" : o.out;
  std::error_code error;
  if (fs::exists(fs::symlink_status(folder, error)))
    throw UsageError(folder + ": is there already; nothing was changed");
  if (!fs::create_directories(folder, error))
    throw UsageError(fmt::format("{}: cannot be made: {}", folder, error.message()));
  SpecNode paths;
  paths.kind = SpecNode::Kind::sequence;
  for (const std::string& path : o.plugin_paths)
    paths.items.push_back(SpecNode::scalar(fs::weakly_canonical(path).string(), true));
  const std::string line = paths.items.empty() ? "" : fmt::format("plugin_path: {}\n", to_line(paths));
  write_durably(folder + "/spec.yaml", spec_text(problem, line));
  write_durably(folder + "/evaluation.yaml", evaluation_text(problem, folder, line));
  write_durably(folder + "/" + schema_file, to_text(spec_schema(registry), 1) + "\n");
  fmt::print(
      "{0}/spec.yaml and {0}/evaluation.yaml are written. Next:\n\n  lopt-run train {0}/spec.yaml --out {0}/run\n  "
      "lopt-run evaluate {0}/evaluation.yaml --out {0}/evaluation\n",
      folder);
  return success;
}

}  // namespace lopt
