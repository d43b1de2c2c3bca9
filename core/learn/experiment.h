#pragma once
// What a spec asks for, with all of its components made.

#include "estimate/objective.h"
#include "learn/comparison.h"
#include "learn/named_tasks.h"
#include "registry/registry.h"

#include <lopt/estimator.h>
#include <lopt/optimizer.h>
#include <lopt/task.h>

#include <cstdint>
#include <limits>

namespace lopt {

/// θ is tried on problems started from these seeds.
struct Application {
  int steps = 0;
  std::vector<std::int64_t> seeds;
};

/// Parts of θ by name, as in "lstm*".
struct FreezePattern {
  std::string text;
  Location where;
};

/// What is done with a meta-gradient, and when θ goes back to where it was best.
struct GradientRules {
  float clip_norm = std::numeric_limits<float>::infinity();  // largest global norm; a longer gradient is scaled down
  bool clip_non_finite = false;  // elements that are not finite count as 0; else the step is skipped
  int stop_after = 20;           // skipped steps in a row, after which training ends
  float roll_back_above = 0;     // times the best mean meta-loss, at which θ goes back; 0: never
  int most_roll_backs = 5;       // after which training ends
};

/// When a checkpoint is written.
struct CheckpointRules {
  int every_steps = 0;        // 0: by time
  double every_seconds = 60;  // 0: by steps
  int keep = 3;
  bool stop_if_it_fails = false;  // else the run says so and goes on
  bool wanted = true;
};

/// When an inner training measures its parameters on a split: loss and metrics of all of its examples.
struct MeasureRules {
  int every_steps = 0;  // 0: only at its end
  Split split = Split::test;
};

/// What θ is tried on while it is trained: tasks that it is not trained on.
struct ValidationRules {
  int every_steps = 0;  // meta-steps; 0: never
  int steps = 0;        // of each problem
  int seeds = 0;
  std::vector<NamedFamily> problems;
  std::optional<Comparison> against;  // losses are divided by those of this one
};

/// Several meta-trainings beside each other, the better of which the worse go on from (Jaderberg et al., Population
/// based training of neural networks, 2017; arXiv 1711.09846).
struct PopulationRules {
  int size = 0;          // members; 0: no population
  int every_steps = 0;   // meta-steps between two exchanges
  double replaced = 0;   // share of the members that go on from better ones
  double resampled = 0;  // chance of a setting to be drawn anew there, and not moved
  /// Key paths, and what their values are drawn from.
  std::vector<std::pair<std::string, SpecNode>> varied;
  SpecNode spec;  // of a member, as it was written, without values for these
};

struct Experiment {
  enum class Kind {
    inner_training,  // a task trained by an optimizer
    application,     // a task trained by a learned optimizer whose θ is given or random
    meta_training,   // θ is trained
  };
  Kind kind = Kind::inner_training;
  std::string name;
  std::uint64_t seed = 0;
  int steps = 0;
  std::shared_ptr<const TaskFamily> family;
  std::shared_ptr<const Optimizer> optimizer;
  std::shared_ptr<const LearnedOptimizer> learned_optimizer;
  std::vector<std::int64_t> theta_seeds;  // application: θ from these, one run each
  std::string theta_file;  // application: θ from a file of an earlier run; meta-training: where it begins
  std::shared_ptr<const GradientEstimator> estimator;
  int shards = 1;             // how often the estimator is at work, each time with problems of its own
  bool asynchronous = false;  // ranks do not wait for each other
  int staleness = 0;          // meta-steps that θ may have gone on since an estimate was begun, then
  std::shared_ptr<const Optimizer> meta_optimizer;
  std::optional<Application> application;
  std::vector<Comparison> comparisons;
  MetaObjective objective;
  std::vector<FreezePattern> freeze;  // parts of θ that are not trained
  GradientRules gradient_rules;
  CheckpointRules checkpoint_rules;
  MeasureRules measure;
  std::optional<Comparison> relative_to;  // whose losses those of inner problems are divided by
  ValidationRules validation;
  PopulationRules population;
  std::optional<int> most_steps = {};  // of every loop, where it is limited: LOPT_TRAIN_LENGTH
  /// Meta-trainings that follow each other, each from the θ of the one before. Then what stands here is the last one's,
  /// and `steps` those of all together.
  std::vector<std::shared_ptr<const Experiment>> stages;
  SpecNode resolved;  // the spec with every default
};

/// A key that a spec may have, outside of its plugins: `section` is "" at the top level, or "apply", "validate", ….
struct SpecKey {
  std::string section;
  Declaration declaration;
};
/// All keys that load_experiment() takes.
std::vector<SpecKey> experiment_keys();

/// Makes the components of a spec. Throws SpecError with all that is wrong, or PluginError. `train_length` replaces the
/// length of every loop, where it is given.
Experiment load_experiment(const SpecNode& spec, Registry& registry, std::optional<int> train_length = {});

}  // namespace lopt
