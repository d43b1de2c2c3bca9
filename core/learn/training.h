#pragma once
// The inner loop: a task trained by an optimizer.

#include "data/checkpoint_file.h"
#include "estimate/lane_unroller.h"
#include "learn/experiment.h"

namespace lopt {

/// Several runs of one task side by side: losses [run][step].
class InnerTraining {
 public:
  /// Run i starts from PRNGKey(seeds[i]) and is trained by `optimizer`, whose meta-parameters are thetas[i]. Its losses
  /// are those that `objective` looks at; it is not trained on examples that this sets apart. `plans`: shared with
  /// trainings that differ in numbers alone, as those by one optimizer at several rates do.
  InnerTraining(std::shared_ptr<const TaskFamily> family, const OptimizerSource& optimizer, std::vector<Values> thetas,
                const std::vector<std::uint64_t>& seeds, HostKey data_key, int threads, int steps,
                const MetaObjective& objective = {}, std::shared_ptr<PlanCache> plans = std::make_shared<PlanCache>());

  /// From now on, parameters are measured each time as many steps are done.
  void measure(const MeasureRules& rules) { measure_ = rules; }
  /// What a run's parameters were worth after so many steps.
  struct Measurement {
    int steps;
    std::size_t run;
    Evaluation evaluation;
  };
  const std::vector<Measurement>& measurements() const { return measurements_; }
  /// Goes on by at most `most` steps; false when all are done.
  bool advance(int most);
  int steps_done() const { return static_cast<int>(losses_.empty() ? 0 : losses_[0].size()); }
  const std::vector<std::vector<float>>& losses() const { return losses_; }
  const LaneUnroller& unroller() const { return unroller_; }
  /// All that is needed to go on.
  Checkpoint checkpoint() const;
  /// Throws DataError where the checkpoint is of another training.
  void restore(const Checkpoint& checkpoint);
  /// The parameters of a run.
  Values params(std::size_t run) const;
  /// Loss and metrics on the test split, where the task has enough test data.
  std::optional<Evaluation> test(std::size_t run) const;
  /// The same of all runs; none where any has none.
  std::vector<Evaluation> tests() const;
  /// The mean over the runs of each step's loss.
  std::vector<float> mean_curve() const;
  /// The mean of all losses; not finite where a run has diverged.
  double mean_loss() const;

 private:
  void measure_now();

  int steps_;
  MeasureRules measure_;
  std::vector<Measurement> measurements_;
  std::vector<Values> thetas_;
  LaneUnroller unroller_;
  std::vector<Lane> lanes_;
  std::vector<std::vector<float>> losses_;
};

/// θ = init(PRNGKey(seed)).
Values initial_theta(const LearnedOptimizer& learned, std::uint64_t seed);
/// θ from a file that a run wrote. Throws DataError where it is not shaped as this learned optimizer's.
Values read_theta(const LearnedOptimizer& learned, const std::string& path);
OptimizerSource source_of(std::shared_ptr<const LearnedOptimizer> learned);
OptimizerSource source_of(std::shared_ptr<const Optimizer> optimizer);
/// The mean of loss and metrics; there is at least one.
Evaluation mean_of(const std::vector<Evaluation>& evaluations);

/// Losses that end above twice the first, or not finite.
bool has_diverged(const std::vector<float>& losses);
/// The key from which all orders of batches are drawn.
HostKey data_key(std::uint64_t seed);

/// The runs that an inner training or an application consists of.
std::unique_ptr<InnerTraining> make_inner_training(const Experiment& experiment, int threads);
/// θ tried after training, as the spec's `apply` says.
std::unique_ptr<InnerTraining> make_application(const Experiment& experiment, const Values& theta, int threads);
/// The same runs with another optimizer.
std::unique_ptr<InnerTraining> make_comparison(const Experiment& experiment, const Optimizer& optimizer, int threads);
/// Runs to the end. Throws Interrupted where `interrupt` says true; it may be empty.
void run_to_end(InnerTraining& training, const std::function<bool()>& interrupt);
/// The comparison with the best of its rates: the one of least mean loss on as many problems, none of which the
/// application has. `interrupt` is asked now and then; where it says true, Interrupted is thrown.
Comparison tuned(const Experiment& experiment, const Comparison& comparison, int threads,
                 const std::function<bool()>& interrupt);

}  // namespace lopt
