#pragma once
// The outer loop: θ trained by a meta-optimizer.

#include "data/checkpoint_file.h"
#include "estimate/rank_unroller.h"
#include "estimate/shard.h"
#include "learn/asynchronous.h"
#include "learn/frozen_theta.h"
#include "learn/meta_update.h"
#include "learn/training.h"
#include "learn/validation.h"

#include <deque>

namespace lopt {

/// One step of meta-training.
struct MetaStep {
  int step = 0;
  float loss = 0;
  float gradient_norm = 0;    // before clipping
  bool skipped = false;       // the gradient was not finite: θ stayed as it was
  bool clipped = false;       // it was scaled down, or had elements that were not finite
  bool rolled_back = false;   // θ went back to where the meta-loss was best
  std::int64_t diverged = 0;  // inner problems that had a loss that was not finite
  double lane_age = 0,
         lane_length = 0;    // mean steps that problems under way have behind them, and have in all; 0: none
  double gradient_age = 0;   // mean meta-steps that θ had gone on since its estimates were begun; 0 where ranks wait
  std::int64_t dropped = 0;  // estimates that were too old
  std::map<std::uint32_t, double> member_losses{};      // of a family of several tasks: mean loss by member
  std::optional<ValidationScore> validation{};          // of θ after the step, where one was due
  std::optional<ValidationScore> average_validation{};  // of its average
  std::string fault{};  // where the run's first value that is not finite came from, at the step where it was met
  const Values& gradient;
  const Values& theta;  // after the step
};

/// Trains θ, in stages where the experiment has some. Keys are those of the tutorial: θ = init(PRNGKey(seed)), and each
/// step does k, key = split(key). All that it needs to go on is in a checkpoint; the results do not depend on where it
/// was taken.
class MetaTraining {
 public:
  /// Traces everything. Throws ShapeError, TreeError or DataError where the spec's parts do not fit together.
  /// `ranks`: the processes that share shards or lanes; null where there is one.
  MetaTraining(const Experiment& experiment, int threads, Communicator* ranks = nullptr);

  /// One meta-step. Throws Interrupted where `set_interrupt` says so in a long one; the training is then as before it.
  MetaStep step();
  /// The next step of an earlier process that went as far, made again: `found` is what all of its processes found
  /// together, so this one brings its own problems on and asks nobody.
  MetaStep replay(std::span<const std::byte> found);
  /// What the last step found, for that.
  std::vector<std::byte> found() const { return encoded(found_); }
  /// The next step, run without its consequences and looked into: where the first value that is not finite comes from,
  /// as a sentence; empty where all are finite. Under mpirun all ranks must call it.
  std::string explain() const;
  void set_interrupt(std::function<bool()> interrupt) { interrupt_ = std::move(interrupt); }

  /// Whether ranks do not wait for each other: then rank 0 alone makes steps, and the others work().
  bool is_asynchronous() const { return ranks_ && ranks_->size() > 1 && stage_->asynchronous; }
  bool is_worker() const { return is_asynchronous() && ranks_->rank() > 0; }
  /// Brings this rank's shards on until rank 0 has made all steps, and says so by end_work().
  void work();
  void end_work();
  const TakenIn& taken_in() const { return collector_->taken_in(); }

  /// Finds what losses are divided by, where the objective wants that and it is not known yet: what the first step
  /// would do, for who uses the unroller alone. Throws Interrupted.
  void find_baseline();

  int steps_done() const { return now_.step; }
  /// The stage that the next step belongs to, or the last one's: from 0, and what it asks for.
  std::size_t stage_index() const { return now_.stage; }
  const Experiment& stage() const { return *stage_; }
  /// What is trained of θ; whole() adds what is frozen.
  const Values& theta() const { return now_.theta; }
  Values whole(const Values& theta) const { return all_theta_.whole(theta); }
  /// What the meta-optimizer would have judged, where that is another θ than its own: an average.
  bool has_average() const { return update_->has_average(); }
  const Values& average() const { return now_.average; }
  /// Of the first of this process's shards.
  const EstimatorState& state() const { return now_.shards.empty() ? nothing_ : now_.shards.front(); }
  /// The same with all of its lanes at rank 0, where ranks share them. All ranks must call it.
  EstimatorState whole_state() const;
  const LaneUnroller& unroller() const { return *lanes_; }
  /// Steps skipped one after the other, up to now.
  int skipped_in_a_row() const { return now_.skipped_in_a_row; }
  int roll_backs() const { return now_.roll_backs; }
  /// θ (or its average) where the validation's score was least, or without one the mean meta-loss of 20 steps; after
  /// which step, and that score or mean. Step 0: none yet. Each stage begins anew.
  const Values& best_theta() const { return validates() ? best_validated_.theta : best_.theta; }
  int best_step() const { return validates() ? best_validated_.step : best_.step; }
  float best_loss() const { return validates() ? best_validated_.loss : best_.loss; }
  bool validates() const { return stage_->validation.every_steps > 0; }

  /// What another meta-training of the same rule can go on from: θ and all that its meta-optimizer remembers.
  struct Inheritance {
    int step = 0;
    Values theta, optimizer, average;
  };
  Inheritance inheritance() const { return {now_.step, now_.theta, now_.optimizer, now_.average}; }
  /// Goes on from there with problems of its own, which begin now; the randomness ahead is the key's. A meta-optimizer
  /// of another structure begins anew.
  void inherit(const Inheritance& from, HostKey key);
  HostKey key() const { return now_.key; }

  /// All of it at rank 0, and nothing at the others, where processes share it. All of them must call it.
  Checkpoint checkpoint() const;
  /// Throws DataError where the checkpoint is of another training.
  void restore(const Checkpoint& checkpoint);

 private:
  /// All that changes from step to step.
  struct Now {
    int step = 0;
    HostKey key;
    Values theta, optimizer;
    std::vector<EstimatorState> shards;  // those that this process works for
    std::size_t stage = 0;
    int stage_begin = 0;  // steps before the stage
    Values average = Values(std::vector<Values::Entry>{});
    int skipped_in_a_row = 0, roll_backs = 0;
    std::deque<float> recent;  // the last 20 meta-losses
  };
  struct Best {
    int step = 0;
    float loss = 0;
    Values theta;
    Values optimizer;  // the rest only where θ may go back to it
    std::vector<EstimatorState> shards;
  };

  struct BestValidated {
    int step = 0;
    float loss = 0;
    Values theta;
  };

  /// Makes all that a stage needs, its θ and what is frozen of it being there.
  void begin_stage(std::size_t index, Values whole);
  std::size_t stage_count() const { return std::max<std::size_t>(1, experiment_.stages.size()); }
  int stage_steps_done() const { return now_.step - now_.stage_begin; }
  /// What all processes find in a meta-step, which brings this one's problems on; where it is `known` they are not
  /// asked.
  ShardSum find(HostKey key, std::optional<std::span<const std::byte>> known);
  /// What a step says of what was found.
  MetaStep told(const TakenIn& taken_before) const;
  /// What θ becomes of it.
  void learn(MetaStep& step, HostKey key);
  void validate(MetaStep& step);
  /// [first, last) of all shards.
  std::pair<int, int> own_range() const;
  /// The problems of this process's shards, as they begin.
  std::vector<EstimatorState> begun_shards(HostKey key) const;
  /// What one of them finds in a meta-step, which brings its problems on.
  ShardSum estimate_of(int shard, const Values& theta, HostKey key, EstimatorState& state) const;
  /// The same of all of them.
  std::vector<ShardSum> estimates(const Values& theta, HostKey key, std::vector<EstimatorState>& shards) const;
  MetaStep step(std::optional<std::span<const std::byte>> known);
  /// This process's shards out of a checkpoint.
  std::vector<EstimatorState> own_shards(const Checkpoint& checkpoint, const char* name) const;
  /// Of all shards at rank 0, and nothing of use elsewhere.
  std::vector<EstimatorState> at_rank_0(const std::vector<EstimatorState>& own) const;
  std::string find_fault(const Now& before) const;
  void remember_best(float loss);
  bool roll_back();

  const Experiment& experiment_;
  const Experiment* stage_;  // the same, or the stage that it is in
  int threads_;
  Communicator* ranks_;
  ShardLayout layout_;
  int first_shard_ = 0;                     // of this process's
  std::unique_ptr<RankGroup> shard_ranks_;  // those that work for its shard, where they are several
  FrozenTheta all_theta_;                   // as it was at the stage's start
  std::shared_ptr<BaselineLosses> baseline_;
  std::vector<double> validation_baseline_;
  std::unique_ptr<LaneUnroller> lanes_;
  std::unique_ptr<RankUnroller> shared_lanes_;
  std::unique_ptr<MemberLosses> unroller_;
  std::unique_ptr<GradientCollector> collector_;  // of rank 0, where ranks do not wait for each other
  std::unique_ptr<MetaUpdate> update_;
  EstimatorState nothing_;
  Now now_;
  Best best_;
  BestValidated best_validated_;
  ShardSum found_;  // in the last step, its gradient as it was
  std::function<bool()> interrupt_;
  bool fault_found_ = false;
  double last_seconds_ = 1e9;  // how long the last step took; of the first it is not known
};

/// Rank 0's checkpoint, for all: what all ranks have in common, and of a meta-training's shards each rank's own.
/// Nothing where rank 0 has none. All ranks must call it.
std::optional<Checkpoint> dealt_out(Communicator& ranks, const std::optional<Checkpoint>& checkpoint);

}  // namespace lopt
