#pragma once
// What a lane does in a step. Used by many threads at once, each with a worker of its own.

#include "estimate/inner_problem.h"
#include "estimate/objective.h"
#include "registry/registry.h"

#include <lopt/estimator.h>

namespace lopt {

/// What a thread works with: for each of the lanes that it runs together, one.
struct LaneWorker : ProgramRun {
  std::vector<std::int32_t> indices;
  std::vector<Array> batch, validation;
  std::uint32_t batch_task = ~0U;  // whose batch it is
  std::vector<Array> spare_state;  // room for the next state of a lane
  std::uint32_t spare_task = ~0U;  // of whose problem
  std::uint32_t key[2] = {};
  std::int32_t iteration = 0, length = 0;
  float loss = 0;
  std::int64_t diverged = 0;                        // lanes that had a loss that was not finite
  std::vector<std::unique_ptr<LaneWorker>> others;  // of lanes that run together with this one
  BlockTeam* team = nullptr;  // threads that help with blocks of rows, where lanes are fewer than threads
};

/// The keys of a step, and whether a new problem begins with it.
struct Advance {
  HostKey step_key;
  bool restart;
};
/// Takes a lane to its next step, as the tutorial does: _, key = split(key); a restart uses the new key.
Advance advance(Lane& lane, const UnrollOptions& options);

std::vector<Array> arrays_of(const std::vector<Type>& types);
std::vector<const void*> pointers_of(const std::vector<Array>& arrays);
std::vector<void*> writable(std::vector<Array>& arrays);
void append_pointers(std::vector<const void*>& list, const std::vector<Array>& arrays);

/// The leaves of a tree, which are no longer its own: nobody shares them, so that they are written to where they lie.
std::vector<Array> taken_leaves(Values& tree);
/// Such leaves, or others like them, for the tree again.
void give_leaves(Values& tree, std::vector<Array> leaves);

/// Somebody wanted the work to end before it was done.
class Interrupted : public CoreError {
 public:
  Interrupted() : CoreError("interrupted") {}
};

/// Looks on while lanes are run. The pointers of a worker's inputs are those of the program that has just run.
class LaneObserver {
 public:
  virtual ~LaneObserver() = default;
  /// `lane` begins a problem with this state, from the worker's inputs.
  virtual void after_start(const Lane& lane, const InnerProblem& problem, const LaneWorker& worker,
                           const std::vector<Array>& state) = 0;
  /// `lane` as it was before the step.
  virtual void after_step(const Lane& lane, const InnerProblem& problem, const LaneWorker& worker,
                          const std::vector<Array>& next, float loss) = 0;
  /// The cotangents of θ, and of the state before the step, that came out of the step's vector-Jacobian product.
  virtual void after_gradient(const Lane& lane, const InnerProblem& problem, InnerProblem::GradientForm form,
                              const LaneWorker& worker, const std::vector<Array>& d_theta,
                              const std::vector<Array>& d_state) = 0;
  /// The tangents of the state after the step, of each direction, and of the loss, that came out of a step with them.
  virtual void after_tangent(const Lane& lane, const InnerProblem& problem, InnerProblem::TangentForm form,
                             const LaneWorker& worker, std::span<const std::vector<Array>> d_next,
                             std::span<const float> d_loss) = 0;
};

class LaneStepper {
 public:
  LaneStepper(std::shared_ptr<const TaskFamily> family, const OptimizerSource& optimizer, const Types& theta,
              HostKey data_key, std::int64_t num_steps, const MetaObjective& objective = {},
              const std::shared_ptr<PlanCache>& plans = std::make_shared<PlanCache>());

  /// `interrupt` is asked before each step; where it says true, step() throws Interrupted. Empty: never.
  void set_interrupt(std::function<bool()> interrupt) { interrupt_ = std::move(interrupt); }
  /// Null: nobody looks on. While somebody does, lanes must be run by one thread.
  void set_observer(LaneObserver* observer) { observer_ = observer; }
  LaneObserver* observer() const { return observer_; }
  /// Throws Interrupted where somebody wants the work to end.
  void require_uninterrupted() const {
    if (interrupt_ && interrupt_()) throw Interrupted();
  }
  std::size_t task_count() const { return problems_.size(); }
  const InnerProblem& problem(std::size_t task) const { return *problems_[task]; }
  const Batches& batches(std::size_t task) const { return batches_[task]; }
  const MetaObjective& objective() const { return objective_; }
  /// Bytes of the largest state of a task.
  std::size_t state_bytes() const;

  /// Takes a lane that another process runs through an unroll: all but its state and task.
  static void follow(Lane& lane, const UnrollOptions& options, std::uint8_t* began);
  /// Begins a new problem in a lane.
  void restart(const std::vector<const void*>& theta, HostKey key, Lane& lane, LaneWorker& worker) const;
  /// The inputs that step and its gradient share: θ, state, batch, validation batch, key, iteration, length. Loads the
  /// lane's batches.
  void set_inputs(const Lane& lane, const std::vector<const void*>& theta, const std::vector<Array>& state,
                  HostKey step_key, LaneWorker& worker) const;
  /// Before a step: says where its inputs and outputs lie. `next` is to become the state after it, and the worker's
  /// `loss` the loss before it.
  void prepare(const Lane& lane, const std::vector<const void*>& theta, const std::vector<Array>& state,
               HostKey step_key, std::vector<Array>& next, LaneWorker& worker) const;
  /// Such a step, alone.
  void run_prepared(const Lane& lane, const std::vector<Array>& next, LaneWorker& worker) const;
  /// One step: `next` becomes the state after it. Returns the loss before it.
  float step(const Lane& lane, const std::vector<const void*>& theta, const std::vector<Array>& state, HostKey step_key,
             std::vector<Array>& next, LaneWorker& worker) const;

 private:
  void load_batch(const Lane& lane, LaneWorker& worker) const;

  std::shared_ptr<const TaskFamily> family_;
  std::vector<std::unique_ptr<InnerProblem>> problems_;
  std::vector<Batches> batches_;
  HostKey data_key_;
  std::int64_t num_steps_;
  MetaObjective objective_;
  std::function<bool()> interrupt_;
  LaneObserver* observer_ = nullptr;
};

}  // namespace lopt
