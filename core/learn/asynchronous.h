#pragma once
// Meta-gradients without waiting for each other, as in learned_optimization's own distributed trainer: rank 0 keeps θ
// and applies meta-gradients, the others bring their shards on with the newest θ that they have been given. A meta-step
// takes as many estimates as there are shards, whoever they come from, so a slow rank slows the whole by its own share
// alone; what is older than `staleness` meta-steps is not taken. The bits of the results depend on the moment.

#include "estimate/shard.h"

#include <functional>

namespace lopt {

/// What rank 0 has taken in.
struct TakenIn {
  std::int64_t estimates = 0, age = 0;  // meta-steps that θ had gone on since each was begun, in all
  std::int64_t dropped = 0;             // too old
  std::vector<std::int64_t> by_rank;    // estimates that counted
};

/// Rank 0's side.
class GradientCollector {
 public:
  GradientCollector(Communicator& ranks, int shards, int staleness);

  /// Estimates for a meta-step at θ, which is that after `step` of them: their mean. Throws RankError where no rank has
  /// sent any for too long. `interrupt` says that the work is to be left: then it throws Interrupted.
  ShardSum collect(const Values& theta, int step, const std::function<bool()>& interrupt);
  /// Every shard's state, as encoded by its rank; each is asked when it next sends an estimate, which is not taken.
  std::vector<std::vector<std::byte>> states(const Values& theta, int step);
  /// The others' work() returns.
  void stop(const Values& theta, int step);

  const TakenIn& taken_in() const { return taken_in_; }

 private:
  struct Letter {
    int rank, version;
    ShardSum sum;
  };
  Letter next(const Values& structure, const std::function<bool()>& interrupt);
  void reply(int rank, int command, const Values& theta, int step);

  Communicator& ranks_;
  int shards_, staleness_, next_rank_ = 1;
  TakenIn taken_in_;
};

/// Another rank's side.
struct ShardWorker {
  std::function<ShardSum(int shard, const Values& theta, std::int64_t number)> estimate;
  std::function<std::string(int shard)> state;
};
/// Brings shards [first, last) on in turn, until rank 0 says that it is enough. `theta`: of the first estimate, which
/// is that after `step` meta-steps.
void work(Communicator& ranks, int first, int last, Values theta, int step, const ShardWorker& worker);

}  // namespace lopt
