#pragma once
// Optimizers against optimizers on tasks: what a spec of `lopt-run evaluate` asks for, and one part of it at a time.

#include "learn/named_tasks.h"
#include "learn/training.h"
#include "learn/tuned_optimizer.h"
#include "spec/reader.h"

namespace lopt {

struct Evaluated {
  struct Contender {
    std::string label;
    std::shared_ptr<const Optimizer> optimizer;  // null where its rate is tuned
    std::shared_ptr<const TunedOptimizer> tuned = {};
    std::string settings;      // as YAML on a line
    std::int64_t horizon = 0;  // of a learned rule: steps of the longest problem it was trained on; 0: not known
  };
  std::string name;
  std::uint64_t seed = 0;
  std::int64_t seeds = 10;
  std::vector<std::int64_t> steps;  // rising
  std::vector<NamedFamily> problems;
  std::vector<Contender> contenders;
  SpecNode resolved;
};

/// All keys that load_evaluation() takes.
std::vector<SpecKey> evaluation_keys();

/// Makes the components of an evaluation's spec. Throws SpecError with all that is wrong, or PluginError.
Evaluated load_evaluation(const SpecNode& spec, Registry& registry);

/// An optimizer on a task for so many steps: a number for each seed.
struct Score {
  std::vector<double> mean_loss, final_loss, test_loss;  // over all steps, over the last tenth, of test data at the end
  std::vector<std::pair<std::string, double>> test_metrics;  // means over the seeds
  std::size_t diverged = 0;
  std::vector<float> curve;   // mean over the seeds of each step's loss
  double seconds_a_step = 0;  // of one problem, on one thread
  double rate = 0;            // that was tuned, else 0
};

/// Tunes the rate where that is wanted, on problems that are not counted, and runs the problems that are. The rate is
/// chosen by mean loss from nine in half-decades, 10⁻⁴ to 1, and then from two between the best of them and each of its
/// neighbours. Null where `interrupted` says true meanwhile.
std::optional<Score> score_of(const Evaluated& evaluated, const NamedFamily& problem,
                              const Evaluated::Contender& contender, std::int64_t steps, int threads,
                              const std::function<bool()>& interrupted);

}  // namespace lopt
