// lopt-run explain: where values that are not finite come from, in a step of an earlier run.
#include "run/session/session.h"

#include <fmt/format.h>

#include <charconv>
#include <fstream>

namespace lopt {
namespace {

int step_number(const std::string& text, const std::string& usage) {
  int step = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), step);
  if (code != std::errc() || end != text.data() + text.size() || step < 0)
    throw UsageError(fmt::format("'{}' is no meta-step; they count from 0; usage: {}", text, usage));
  return step;
}

}  // namespace

int run_explain(int argc, char** argv) {
  Options o;
  boost::program_options::options_description description;
  description.add_options()("threads", boost::program_options::value(&o.threads),
                            "worker threads for the steps before it");
  const std::string usage = "lopt-run explain RUN STEP [options]";
  const auto values =
      options::parse(argc, argv, description, usage,
                     "Goes to a meta-step of an earlier run, from its last checkpoint before (or from the beginning), "
                     "and says where the first value that is not finite came from: the problem and inner step, the "
                     "plugin and its function, the operation, forward or in a derivative, the leaf, and what helps. "
                     "STEP counts from 0, as in metrics.jsonl. The run is only read.");
  if (!values) return success;
  const std::vector<std::string> words = options::positional(*values);
  if (words.size() != 2) throw UsageError("which run, and which step? usage: " + usage);
  if (values->count("threads") && (o.threads < 1 || o.threads > 1024))
    throw UsageError("--threads must be between 1 and 1024");
  const int step = step_number(words[1], usage);
  o.spec = words[0] + "/spec.yaml";
  if (!std::ifstream(o.spec)) throw UsageError(words[0] + ": is no folder of a run: it has no spec.yaml");
  Registry registry;
  const Experiment experiment = experiment_of(o, registry);
  if (experiment.kind != Experiment::Kind::meta_training)
    throw UsageError(words[0] + ": is no meta-training; only those have meta-steps");
  if (experiment.population.size > 0)
    throw UsageError(words[0] +
                     ": is a population: what one of its members did is not explained; a run of its settings is");
  MetaTraining training(experiment, o.threads ? o.threads : allowed_threads().threads);
  if (const std::optional<Checkpoint> from = RunFolder::checkpoint_before(words[0], step)) training.restore(*from);
  while (training.steps_done() < step) training.step();
  const std::string sentence = training.explain();
  if (!sentence.empty()) {
    fmt::print("meta-step {}, {}.\n", step, sentence);
    return success;
  }
  const MetaStep made = training.step();
  fmt::print("meta-step {}: everything is finite; its meta-loss is {:.6g}, the norm of its meta-gradient {:.6g}.\n",
             step, made.loss, made.gradient_norm);
  return success;
}

}  // namespace lopt
