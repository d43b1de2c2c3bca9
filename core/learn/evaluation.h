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
  std::vector<double> mean_loss, final_loss;  // over all steps, over the last tenth
  std::vector<double> test_loss;              // the lowest of those of test data along the run; empty without any
  std::vector<std::pair<std::string, double>> test_metrics;  // at the end, means over the seeds
  std::size_t diverged = 0;
  std::vector<float> curve;  // mean over the seeds of each step's loss
  /// Mean over the seeds of the loss of test data, after so many steps; rising, about twenty.
  std::vector<std::pair<std::int64_t, double>> test_curve;
  double seconds_a_step = 0;           // of one problem alone, on one thread
  double rate = 0, test_rate = 0;      // that were tuned, for mean loss and for test loss, else 0
  bool is_beyond_usual_rates = false;  // one of them lies outside of 10⁻⁴ to 1
};

/// Tunes the rate where that is wanted, on problems that are not counted, and runs the problems that are. A RateSearch
/// finds it, in half-decades and then refined: one rate for the least mean loss, and one for the least test loss, with
/// which all that is of test data is measured. Null where `interrupted` says true meanwhile. The time of a step is not
/// measured.
std::optional<Score> score_of(const Evaluated& evaluated, const NamedFamily& problem,
                              const Evaluated::Contender& contender, std::int64_t steps, int threads,
                              const std::function<bool()>& interrupted);

/// Seconds of a whole step of one problem by each optimizer, on one thread: their least over several rounds, in which
/// they take turns.
std::vector<double> seconds_a_step(const Evaluated& evaluated, const NamedFamily& problem);

}  // namespace lopt
