#pragma once
// Unrolls lanes in parallel. A lane is the work of one thread, or of all where there are fewer lanes than threads; sums
// over lanes are made by halves of all lanes, so the results are the same bits for any number of threads.

#include "estimate/lane_stepper.h"
#include "estimate/one_thread_a_core.h"

#include <tbb/enumerable_thread_specific.h>
#include <tbb/task_arena.h>

namespace lopt {

/// What parameters are worth on a split: means over its batches.
struct Evaluation {
  double loss = 0;
  std::vector<std::pair<std::string, double>> metrics;
};

class LaneUnroller final : public Unroller {
 public:
  /// `theta`: the types of the meta-parameters. `data_key` decides the order of all batches. `plans`: those of other
  /// unrollers may be among them, whose programs differ in numbers alone.
  LaneUnroller(std::shared_ptr<const TaskFamily> family, const OptimizerSource& optimizer, const Types& theta,
               HostKey data_key, int threads, std::int64_t num_steps, const MetaObjective& objective = {},
               std::shared_ptr<PlanCache> plans = std::make_shared<PlanCache>());

  std::vector<Lane> start(std::span<const LaneStart> starts) const override;
  Unrolled unroll(std::vector<Lane> lanes, std::span<const Values> thetas, const UnrollOptions& options) const override;
  Unrolled unroll_with_gradient(std::vector<Lane> lanes, const Values& theta, const UnrollOptions& options,
                                bool from_start, Values& gradient) const override;

  Unrolled unroll_with_tangents(std::vector<Lane> lanes, const Values& theta, const UnrollOptions& options,
                                const TangentOptions& tangents, Slopes& slopes) const override;
  Unrolled unroll_with_lane_gradients(std::vector<Lane> lanes, std::span<const Values> thetas,
                                      const UnrollOptions& options, bool from_start, std::span<const HostKey> signs,
                                      LaneGradients& gradients) const override;

  /// Each lane's own gradient of `weight` · Σ losses: [lane], leaf by leaf of θ.
  struct GradientRows {
    std::vector<std::vector<Array>> of_losses, of_states;
    std::vector<float> sign_norms;
  };
  Unrolled unroll_with_gradients(std::vector<Lane> lanes, std::span<const Values> thetas, const UnrollOptions& options,
                                 bool from_start, float weight, std::span<const HostKey> signs,
                                 GradientRows& rows) const;
  /// Throws ShapeError where so many directions of so many lanes need more memory than there is.
  void require_memory_for(std::size_t directions, std::size_t lanes) const;

  /// Where it says true, unrolling throws Interrupted. Empty: never.
  void set_interrupt(std::function<bool()> interrupt) { stepper_.set_interrupt(std::move(interrupt)); }
  /// Somebody who looks on while lanes are run, one after the other; null: nobody.
  void set_observer(LaneObserver* observer) { stepper_.set_observer(observer); }
  /// Lanes that had a loss that was not finite, in the unrolls since this was last asked.
  std::int64_t take_diverged() const;
  /// Throws DataError where a lane's task or state is none of this unroller's.
  void require_state(const Lane& lane) const;
  /// The parameters in a lane's state.
  Values params(const Values& theta, const Lane& lane) const;
  /// A lane's parameters on a split, in batches of the task's size; nothing where the task has no data.
  std::optional<Evaluation> evaluate(const Values& theta, const Lane& lane, Split split) const;
  const InnerProblem& problem(std::size_t task) const { return stepper_.problem(task); }

 private:
  /// f(lane, worker) for each lane, in parallel.
  template <class Function>
  void for_lanes(std::size_t count, Function f) const;
  /// The same for fewer lanes than threads: the other threads help them.
  template <class Run>
  void run_with_teams(std::size_t count, Run run) const;
  /// How many of these a thread takes through their steps together.
  std::size_t lanes_together(std::span<const Lane> lanes) const;

  LaneStepper stepper_;
  int thread_count_;
  mutable tbb::task_arena threads_;
  OneThreadACore placement_;
  mutable tbb::enumerable_thread_specific<std::unique_ptr<LaneWorker>> workers_;
};

/// Bounds the parts [lane][leaf] that lanes have in a mean over `count` of them, as UnrollOptions::most_lane_norm says.
void clip_lanes(std::vector<std::vector<Array>>& gradients, std::size_t count, float most_norm);
/// `left` += `right`, leaf by leaf.
void add_leaves(std::vector<Array>& left, const std::vector<Array>& right);

}  // namespace lopt
