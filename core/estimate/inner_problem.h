#pragma once
// An inner problem as programs: a task trained by an optimizer, traced once and compiled when first needed.

#include "estimate/objective.h"
#include "execute/plan_cache.h"

#include <lopt/optimizer.h>
#include <lopt/task.h>

#include <functional>
#include <map>
#include <mutex>
#include <optional>

namespace lopt {

/// The optimizer that meta-parameters make. An optimizer that is not learned ignores them.
using OptimizerSource = std::function<std::shared_ptr<const Optimizer>(const Tree& theta)>;

/// What a task's batches are: no names where it has no dataset.
Types batch_types_of(const Task& task);

/// One of a problem's programs as it was traced: what goes in and what comes out, before it is planned.
struct TracedProgram {
  std::vector<Tensor> inputs, outputs;
  std::vector<std::string> output_names;  // paths of the state, "loss"; of a gradient: paths of θ and of the state
  std::vector<Tensor> state;              // leaves of the state that comes out of the step or start itself
};

/// The programs of one task. Leaves of trees are passed in the order of the tree.
class InnerProblem {
 public:
  /// Throws ShapeError or TreeError with the name of the task where tracing fails.
  /// Where the objective differs from the loss, a step's loss is what the objective wants of the parameters before it,
  /// and where it wants validation batches, one stands behind each batch that goes in.
  InnerProblem(std::string name, const Task& task, OptimizerSource optimizer, Types theta, std::int64_t num_steps,
               MetaObjective objective = {}, std::shared_ptr<PlanCache> plans = std::make_shared<PlanCache>());

  const Types& state_types() const { return state_; }
  const Types& batch_types() const { return batch_; }
  const Types& params_types() const { return params_; }

  /// (θ…, key) → state…
  const Executable& start() const { return start_; }
  /// (θ…, state…, batch…, key, iteration, length) → state…, loss
  const Executable& step() const { return step_; }
  /// Of each leaf of the state, whether a step may put it where the one before lies.
  const std::vector<bool>& steps_in_place() const { return steps_in_place_; }
  /// (θ…, state…) → parameters…
  const Executable& params() const;
  /// (θ…, state…, batch…, key) → loss of the parameters on examples that are not trained on, and the task's metrics; of
  /// a batch of so many `examples`, 0 where the task has no data.
  const Executable& loss(std::int64_t examples) const;
  /// Examples of a batch of the task; 0 where it has no data.
  std::int64_t batch_size() const;
  /// The names of those metrics.
  std::vector<std::string> metric_names() const;

  /// Which of a step's cotangents matter.
  struct GradientForm {
    bool from_next = true;  // a cotangent of the state after the step comes in
    bool to_state = true;   // the cotangent of the state before it is wanted
  };
  /// (θ…, state…, batch…, key, iteration, length, [d state after…,] d loss) → d θ… [, d state before…]; cotangents only
  /// for the float32 leaves of the state.
  const Executable& step_gradient(GradientForm form) const;
  /// (θ…, key, d state…) → d θ…; null where the initial state does not depend on θ.
  const Executable* start_gradient() const;
  /// What a step is differentiated along, forward.
  struct TangentForm {
    int directions = 1;
    bool along_theta = true;  // θ moves too; else the state alone
    bool operator<(const TangentForm& other) const {
      return std::pair(directions, along_theta) < std::pair(other.directions, other.along_theta);
    }
  };
  /// (θ…, state…, batch…, key, iteration, length, then of each direction: [dθ…,] d state…) → state…, loss, then of each
  /// direction: d state…, d loss. Tangents only for the float32 leaves of the state.
  const Executable& step_tangent(TangentForm form) const;
  /// (θ…, key, dθ… of each direction) → d state… of each; null where the initial state does not depend on θ.
  const Executable* start_tangent(int directions) const;
  // The same computations traced anew, for who wants to look into them.
  TracedProgram traced_start() const;
  TracedProgram traced_step() const;
  TracedProgram traced_gradient(GradientForm form) const;
  TracedProgram traced_tangent(TangentForm form) const;

  /// Which leaves of the state are float32.
  const std::vector<bool>& differentiable() const { return differentiable_; }

 private:
  /// A state is the optimizer's; where the task has one too, both.
  bool task_has_state() const { return task_state_.leaf_count() > 0; }
  Tree optimizer_state(const Tree& state) const { return task_has_state() ? state["optimizer"] : state; }
  Tree task_state(const Tree& state) const;
  Tree state_of(Tree optimizer_state, const Tree& task_state) const;

  struct Inputs;
  struct Step;
  struct Start;
  Inputs make_inputs() const;
  Step trace_step(const Inputs& inputs) const;
  /// Throws ShapeError where the objective is a metric whose derivative is 0 everywhere.
  void require_slope(const Inputs& inputs, const Step& step) const;
  Tensor trace_objective(const Inputs& inputs, const Tree& params, const Tensor& loss) const;
  Start trace_start() const;
  Start trace_start(const Tree& theta, const Key& key) const;
  std::optional<Program> trace_start_gradient() const;
  std::optional<Program> trace_start_tangent(int directions) const;
  /// Inputs NAME/PATH for the float32 leaves of a state, empty tensors for the others; those are added to `inputs`.
  std::vector<Tensor> tangent_inputs(const std::string& name, std::vector<Tensor>& inputs) const;
  /// Runs a function that traces, and adds the task's name to what it throws.
  template <class Function>
  auto traced(Function function) const;

  std::string name_;
  const Task& task_;
  OptimizerSource optimizer_;
  Types theta_, state_, batch_, params_, task_state_{std::vector<Types::Entry>{}};
  std::int64_t num_steps_;
  MetaObjective objective_;
  std::shared_ptr<PlanCache> plans_;
  std::vector<bool> differentiable_;
  Executable start_, step_;
  std::vector<bool> steps_in_place_;

  mutable std::mutex mutex_;
  mutable std::unique_ptr<Executable> gradients_[2][2], params_of_state_;
  mutable std::map<std::int64_t, Executable> losses_;  // by the number of examples
  mutable std::optional<std::unique_ptr<Executable>> start_gradient_;
  mutable std::map<TangentForm, Executable> tangents_;
  mutable std::map<int, std::unique_ptr<Executable>> start_tangents_;  // by the number of directions
  mutable std::vector<std::string> metric_names_;
};

}  // namespace lopt
