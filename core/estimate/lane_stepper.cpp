#include "estimate/lane_stepper.h"

#include "data/validation_split.h"
#include "estimate/allowance.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace lopt {

std::vector<const void*> pointers_of(const std::vector<Array>& arrays) {
  std::vector<const void*> result;
  append_pointers(result, arrays);
  return result;
}
std::vector<void*> writable(std::vector<Array>& arrays) {
  std::vector<void*> result;
  for (Array& array : arrays) result.push_back(array.mutable_data());
  return result;
}
std::vector<Array> arrays_of(const std::vector<Type>& types) { return {types.begin(), types.end()}; }
void append_pointers(std::vector<const void*>& list, const std::vector<Array>& arrays) {
  for (const Array& array : arrays) list.push_back(array.data());
}

std::vector<Array> taken_leaves(Values& tree) {
  std::vector<Array> leaves;
  leaves.reserve(tree.leaf_count());
  tree.for_leaves([&](Array& leaf) { leaves.push_back(std::move(leaf)); });
  return leaves;
}
void give_leaves(Values& tree, std::vector<Array> leaves) {
  std::size_t next = 0;
  tree.for_leaves([&](Array& leaf) { leaf = std::move(leaves[next++]); });
}

Advance advance(Lane& lane, const UnrollOptions& options) {
  const HostKey step_key = fold_in(lane.key, 0);  // both halves of split(key)
  lane.key = fold_in(lane.key, 1);
  const bool restart =
      options.problem_length && lane.iteration >= (lane.length > 0 ? lane.length : *options.problem_length);
  if (options.problem_length) lane.iteration = restart ? 0 : lane.iteration + 1;
  if (restart) {
    lane.length = drawn_length(options, lane.key);
    lane.first_loss = Lane().first_loss;
    lane.least_loss = Lane().least_loss;
  }
  return {step_key, restart};
}

LaneStepper::LaneStepper(std::shared_ptr<const TaskFamily> family, const OptimizerSource& optimizer, const Types& theta,
                         HostKey data_key, std::int64_t num_steps, const MetaObjective& objective,
                         const std::shared_ptr<PlanCache>& plans)
    : family_(with_validation_split(std::move(family), objective)),
      data_key_(data_key),
      num_steps_(num_steps),
      objective_(objective) {
  for (std::size_t i = 0; i < family_->size(); ++i) {
    std::string name = family_->size() == 1 ? "task" : fmt::format("task {}", i);
    problems_.push_back(std::make_unique<InnerProblem>(std::move(name), family_->task(i), optimizer, theta, num_steps,
                                                       objective, plans));
    batches_.push_back(family_->task(i).batches());
    require_memory(problems_.back()->step().plan().arena_bytes, "one step of the task");
  }
}

void LaneStepper::follow(Lane& lane, const UnrollOptions& options, std::uint8_t* began) {
  for (int k = 0; k < options.steps; ++k) {
    began[k] = advance(lane, options).restart;
    ++lane.position;
    if (!options.problem_length) ++lane.iteration;
  }
}

std::size_t LaneStepper::state_bytes() const {
  std::size_t most = 0;
  for (const auto& problem : problems_) {
    std::size_t bytes = 0;
    for (const Type& type : problem->state_types().leaves())
      bytes += 4 * static_cast<std::size_t>(element_count(type.shape));
    most = std::max(most, bytes);
  }
  return most;
}

void LaneStepper::restart(const std::vector<const void*>& theta, HostKey key, Lane& lane, LaneWorker& w) const {
  lane.task = static_cast<std::uint32_t>(family_->sample(key));
  const InnerProblem& problem = *problems_[lane.task];
  w.key[0] = key.high;
  w.key[1] = key.low;
  std::vector<Array> state = arrays_of(problem.state_types().leaves());
  w.inputs = theta;
  w.inputs.push_back(w.key);
  problem.start().run(w.inputs, writable(state), w.arena);
  if (observer_) observer_->after_start(lane, problem, w, state);
  lane.state = problem.state_types().with_leaves<Array>(state);
}

void LaneStepper::load_batch(const Lane& lane, LaneWorker& w) const {
  const Batches& batches = batches_[lane.task];
  if (!batches.dataset) {
    w.batch.clear();
    w.validation.clear();
    return;
  }
  if (w.batch_task != lane.task || w.batch.empty()) {
    w.batch = arrays_of(problems_[lane.task]->batch_types().leaves());
    if (objective_.validation) w.validation = arrays_of(problems_[lane.task]->batch_types().leaves());
    w.indices.resize(static_cast<std::size_t>(batches.size));
    w.batch_task = lane.task;
  }
  batches.dataset->batch(data_key_, lane.stream, lane.position, w.indices);
  batches.dataset->rows(Split::train, w.indices, w.batch);
  if (!objective_.validation) return;
  const auto& split = dynamic_cast<const ValidationSplit&>(*batches.dataset);
  split.validation_batch(data_key_, lane.stream, lane.position, w.validation);
}

void LaneStepper::set_inputs(const Lane& lane, const std::vector<const void*>& theta, const std::vector<Array>& state,
                             HostKey step_key, LaneWorker& w) const {
  load_batch(lane, w);
  w.key[0] = step_key.high;
  w.key[1] = step_key.low;
  w.iteration = static_cast<std::int32_t>(lane.iteration);
  w.length = static_cast<std::int32_t>(lane.length > 0 ? lane.length : num_steps_);
  w.inputs = theta;
  append_pointers(w.inputs, state);
  append_pointers(w.inputs, w.batch);
  if (objective_.validation) append_pointers(w.inputs, w.validation);
  w.inputs.push_back(w.key);
  w.inputs.push_back(&w.iteration);
  w.inputs.push_back(&w.length);
}

void LaneStepper::prepare(const Lane& lane, const std::vector<const void*>& theta, const std::vector<Array>& state,
                          HostKey step_key, std::vector<Array>& next, LaneWorker& w) const {
  require_uninterrupted();
  set_inputs(lane, theta, state, step_key, w);
  w.outputs.clear();
  for (Array& array : next) w.outputs.push_back(array.overwritten_data());
  w.outputs.push_back(&w.loss);
}
void LaneStepper::run_prepared(const Lane& lane, const std::vector<Array>& next, LaneWorker& w) const {
  problems_[lane.task]->step().run(w.inputs, w.outputs, w.arena, w.team);
  if (observer_) observer_->after_step(lane, *problems_[lane.task], w, next, w.loss);
}

float LaneStepper::step(const Lane& lane, const std::vector<const void*>& theta, const std::vector<Array>& state,
                        HostKey step_key, std::vector<Array>& next, LaneWorker& w) const {
  prepare(lane, theta, state, step_key, next, w);
  run_prepared(lane, next, w);
  return w.loss;
}

}  // namespace lopt
