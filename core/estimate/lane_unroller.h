#pragma once
// Unrolls lanes in parallel. A lane is the work of one thread; sums over lanes are taken in the order of the lanes, so
// the results are the same bits for any number of threads.

#include "estimate/inner_problem.h"

#include <lopt/estimator.h>

#include <tbb/enumerable_thread_specific.h>
#include <tbb/task_arena.h>

namespace lopt {

class LaneUnroller final : public Unroller {
 public:
  /// `theta`: the types of the meta-parameters. `data_key` decides the order of all batches.
  LaneUnroller(std::shared_ptr<const TaskFamily> family, const OptimizerSource& optimizer, const Types& theta,
               HostKey data_key, int threads, std::int64_t num_steps);
  ~LaneUnroller() override;

  std::vector<Lane> start(std::span<const LaneStart> starts) const override;
  Unrolled unroll(std::vector<Lane> lanes, std::span<const Values> thetas, const UnrollOptions& options) const override;
  Unrolled unroll_with_gradient(std::vector<Lane> lanes, const Values& theta, const UnrollOptions& options,
                                bool from_start, Values& gradient) const override;

  /// The parameters in a lane's state.
  Values params(const Values& theta, const Lane& lane) const;
  /// Mean loss of a lane's parameters over a split, in batches of the task's size; nothing where the task has no data.
  std::optional<float> evaluate(const Values& theta, const Lane& lane, Split split) const;
  const InnerProblem& problem(std::size_t task) const { return *problems_[task]; }

 private:
  struct Worker;
  /// f(lane) for each lane, in parallel.
  template <class Function>
  void for_lanes(std::size_t count, Function f) const;
  void restart(const std::vector<const void*>& theta, HostKey key, Lane& lane, Worker& worker) const;
  void load_batch(const Lane& lane, Worker& worker) const;
  void run_lane(Lane& lane, const Values& theta, const UnrollOptions& options, float* losses, std::uint8_t* began,
                Worker& worker) const;
  void run_lane_gradient(Lane& lane, const Values& theta, const UnrollOptions& options, bool from_start, float weight,
                         float* losses, std::uint8_t* began, std::vector<Array>& gradient, Worker& worker) const;

  std::shared_ptr<const TaskFamily> family_;
  std::vector<std::unique_ptr<InnerProblem>> problems_;
  std::vector<Batches> batches_;
  HostKey data_key_;
  int thread_count_;
  mutable tbb::task_arena threads_;
  mutable tbb::enumerable_thread_specific<std::unique_ptr<Worker>> workers_;
  /// What this thread works with, when so many lanes run.
  Worker& worker(std::size_t lanes) const;
};

}  // namespace lopt
