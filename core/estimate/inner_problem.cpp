#include "estimate/inner_problem.h"

#include "plan/in_place.h"

#include "gradient/gradient.h"

#include <fmt/format.h>

namespace lopt {
namespace {

const Type key_type{DType::uint32, {2}};
const Type iteration_type{DType::int32, {}};

void append(std::vector<Tensor>& list, const Tree& tree) {
  for (Tensor& leaf : tree.leaves()) list.push_back(std::move(leaf));
}

/// Zeros where no gradient flows.
void append_gradients(std::vector<Tensor>& outputs, const std::vector<Tensor>& gradients,
                      const std::vector<Tensor>& of) {
  for (std::size_t i = 0; i < gradients.size(); ++i) outputs.push_back(gradients[i] ? gradients[i] : zeros_like(of[i]));
}

}  // namespace

Types batch_types_of(const Task& task) {
  const Batches batches = task.batches();
  if (!batches.dataset) return Types(std::vector<Types::Entry>{});
  return map(
      [&](Type type) {
        type.shape.insert(type.shape.begin(), batches.size);
        return type;
      },
      batches.dataset->example_types());
}

struct InnerProblem::Inputs {
  Tree theta, state, batch, validation;
  Tensor key, iteration, length;
  std::vector<Tensor> list() const {
    std::vector<Tensor> result;
    append(result, theta);
    append(result, state);
    append(result, batch);
    append(result, validation);
    result.push_back(key);
    result.push_back(iteration);
    result.push_back(length);
    return result;
  }
};
struct InnerProblem::Step {
  Tree state;
  Tensor loss;
};
struct InnerProblem::Start {
  std::vector<Tensor> inputs;
  Tree params, state;
};

template <class Function>
auto InnerProblem::traced(Function function) const {
  try {
    return function();
  } catch (const ShapeError& error) {
    throw ShapeError(fmt::format("{}, in task '{}'", error.what(), name_));
  } catch (const TreeError& error) {
    throw TreeError(fmt::format("{}, in task '{}'", error.what(), name_));
  }
}

InnerProblem::InnerProblem(std::string name, const Task& task, OptimizerSource optimizer, Types theta,
                           std::int64_t num_steps, MetaObjective objective, std::shared_ptr<PlanCache> plans)
    : name_(std::move(name)),
      task_(task),
      optimizer_(std::move(optimizer)),
      theta_(std::move(theta)),
      batch_(batch_types_of(task)),
      num_steps_(num_steps),
      objective_(std::move(objective)),
      plans_(std::move(plans)),
      start_(plans_->compile(traced([&] {
        task_state_ = types_of(task_.init_state(Key{make_input("key", key_type)}));
        const Start start = trace_start();
        params_ = types_of(start.params);
        state_ = types_of(start.state);
        return make_program("start", start.inputs, start.state.leaves());
      }))),
      step_(plans_->compile(traced([&] {
        const TracedProgram step = traced_step();
        return make_program("step", step.inputs, step.outputs);
      }))) {
  const InPlace in_place(step_.plan());
  for (const Type& type : state_.leaves()) {
    const std::size_t leaf = differentiable_.size();
    differentiable_.push_back(type.dtype == DType::float32);
    steps_in_place_.push_back(in_place.allows(leaf, theta_.leaf_count() + leaf));
  }
}

InnerProblem::Inputs InnerProblem::make_inputs() const {
  return {inputs_like("theta", theta_),
          inputs_like("state", state_),
          inputs_like("batch", batch_),
          objective_.validation ? inputs_like("validation", batch_) : Tree(std::vector<Tree::Entry>{}),
          make_input("key", key_type),
          make_input("iteration", iteration_type),
          make_input("length", iteration_type)};
}

Tree InnerProblem::task_state(const Tree& state) const {
  return task_has_state() ? state["task"] : Tree(std::vector<Tree::Entry>{});
}
Tree InnerProblem::state_of(Tree optimizer_state, const Tree& task_state) const {
  if (!task_has_state()) return optimizer_state;
  if (types_of(task_state).paths() != task_state_.paths() || types_of(task_state).leaves() != task_state_.leaves())
    throw TreeError("training_loss() gives a state of other names, shapes or types than init_state()");
  return {{"optimizer", std::move(optimizer_state)}, {"task", map(stop_gradient, task_state)}};
}

InnerProblem::Start InnerProblem::trace_start() const {
  return trace_start(inputs_like("theta", theta_), Key{make_input("key", key_type)});
}

InnerProblem::Start InnerProblem::trace_start(const Tree& theta, const Key& key) const {
  Start start{theta.leaves(), task_.init(key), {}};
  start.state = state_of(optimizer_(theta)->init(start.params, {num_steps_, fold_in(key, 1)}), task_.init_state(key));
  start.inputs.push_back(key.bits);
  return start;
}

TracedProgram InnerProblem::traced_start() const {
  const Start start = trace_start();
  return {start.inputs, start.state.leaves(), start.state.paths(), start.state.leaves()};
}

TracedProgram InnerProblem::traced_step() const {
  const Inputs inputs = make_inputs();
  const Step step = trace_step(inputs);
  if (types_of(step.state).paths() != state_.paths() || types_of(step.state).leaves() != state_.leaves())
    throw TreeError("the optimizer's update gives a state of other names, shapes or types than its init");
  TracedProgram result{inputs.list(), step.state.leaves(), state_.paths(), step.state.leaves()};
  result.outputs.push_back(step.loss);
  result.output_names.emplace_back("loss");
  return result;
}

InnerProblem::Step InnerProblem::trace_step(const Inputs& inputs) const {
  const std::shared_ptr<const Optimizer> optimizer = optimizer_(inputs.theta);
  const Tree optimizer_state = this->optimizer_state(inputs.state), params = optimizer->params(optimizer_state);
  const Key key{inputs.key};
  const auto [loss, task_state] =
      task_.training_loss(params, this->task_state(inputs.state), inputs.batch, fold_in(key, 0));
  if (loss.type() != Type{DType::float32, {}})
    throw ShapeError(fmt::format("the loss is {}, not a float32 scalar", to_text(loss.type())));
  const Tree judged = objective_.validation ? optimizer->evaluation_params(optimizer_state) : params;
  const Tree next = optimizer->update(optimizer_state, gradient(loss, params),
                                      {loss, inputs.iteration, num_steps_, fold_in(key, 1), inputs.length});
  return {state_of(next, task_state), trace_objective(inputs, judged, loss)};
}

Tensor InnerProblem::trace_objective(const Inputs& inputs, const Tree& params, const Tensor& loss) const {
  const Tree& batch = objective_.validation ? inputs.validation : inputs.batch;
  const Key key = fold_in(Key{inputs.key}, 2);
  const Tree state = task_state(inputs.state);
  if (objective_.metric.empty()) {
    Tensor counts = objective_.validation ? task_.evaluation_loss(params, state, batch, key) : loss;
    if (objective_.with_training) counts = 0.5 * (counts + loss);
    return objective_.normalizer ? task_.normalized(counts) : counts;
  }
  std::string known;
  for (const Metric& metric : task_.evaluation_metrics(params, state, batch, key)) {
    if (metric.name != objective_.metric) {
      known += (known.empty() ? "" : ", ") + metric.name;
      continue;
    }
    if (metric.value.type() != Type{DType::float32, {}})
      throw ShapeError(
          fmt::format("the metric '{}' is {}, not a float32 scalar", metric.name, to_text(metric.value.type())));
    // Not finite where the loss is not: a problem that has diverged counts as such.
    return (metric.higher_is_better ? -metric.value : metric.value) + stop_gradient(0 * loss);
  }
  throw ShapeError(fmt::format("meta_objective asks for the metric '{}'; this task has {}", objective_.metric,
                               known.empty() ? "none" : known));
}

const Executable& InnerProblem::params() const {
  std::lock_guard lock(mutex_);
  if (!params_of_state_)
    params_of_state_ = std::make_unique<Executable>(plans_->compile(traced([&] {
      const Tree theta = inputs_like("theta", theta_), state = inputs_like("state", state_);
      std::vector<Tensor> inputs = theta.leaves();
      append(inputs, state);
      return make_program("params", inputs, optimizer_(theta)->evaluation_params(optimizer_state(state)).leaves());
    })));
  return *params_of_state_;
}

std::int64_t InnerProblem::batch_size() const {
  return batch_.leaf_count() == 0 ? 0 : batch_.leaves().front().shape.at(0);
}

const Executable& InnerProblem::loss(std::int64_t examples) const {
  std::lock_guard lock(mutex_);
  auto known = losses_.find(examples);
  if (known == losses_.end())
    known = losses_
                .emplace(examples, plans_->compile(traced([&] {
                  Inputs inputs = make_inputs();
                  inputs.batch = inputs_like("batch", map(
                                                          [&](Type type) {
                                                            type.shape.at(0) = examples;
                                                            return type;
                                                          },
                                                          batch_));
                  const Tree params = optimizer_(inputs.theta)->evaluation_params(optimizer_state(inputs.state));
                  std::vector<Tensor> list = inputs.theta.leaves();
                  append(list, inputs.state);
                  append(list, inputs.batch);
                  list.push_back(inputs.key);
                  const Tree state = task_state(inputs.state);
                  const Key key = fold_in(Key{inputs.key}, 0);
                  std::vector<std::string> names;
                  std::vector<Tensor> outputs{task_.evaluation_loss(params, state, inputs.batch, key)};
                  for (const Metric& metric : task_.evaluation_metrics(params, state, inputs.batch, key)) {
                    if (metric.value.type() != Type{DType::float32, {}})
                      throw ShapeError(fmt::format("the metric '{}' is {}, not a float32 scalar", metric.name,
                                                   to_text(metric.value.type())));
                    outputs.push_back(metric.value);
                    names.push_back(metric.name);
                  }
                  metric_names_ = std::move(names);
                  return make_program("loss", list, outputs);
                })))
                .first;
  return known->second;
}

std::vector<std::string> InnerProblem::metric_names() const {
  {
    std::lock_guard lock(mutex_);
    if (!losses_.empty()) return metric_names_;
  }
  loss(batch_size());
  return metric_names_;
}

void InnerProblem::require_slope(const Inputs& inputs, const Step& step) const {
  if (objective_.metric.empty()) return;
  for (const Tensor& slope : vector_jacobian({step.loss}, {full({}, 1)}, inputs.state.leaves()))
    if (slope) return;
  throw ShapeError(
      fmt::format("the metric '{}' has no slope anywhere, so nothing can be learned from its gradient; evolution "
                  "strategies need none "
                  "(full_es, truncated_es, pes)",
                  objective_.metric));
}

std::vector<Tensor> InnerProblem::tangent_inputs(const std::string& name, std::vector<Tensor>& inputs) const {
  std::vector<Tensor> result = inputs_like(name, state_).leaves();
  for (std::size_t i = 0; i < result.size(); ++i)
    if (differentiable_[i])
      inputs.push_back(result[i]);
    else
      result[i] = Tensor();
  return result;
}

TracedProgram InnerProblem::traced_gradient(GradientForm form) const {
  const Inputs inputs = make_inputs();
  const Step step = trace_step(inputs);
  require_slope(inputs, step);
  std::vector<Tensor> list = inputs.list(), results = step.state.leaves(), cotangents(results.size());
  if (form.from_next) cotangents = tangent_inputs("d_state", list);
  results.push_back(step.loss);
  cotangents.push_back(make_input("d_loss", {DType::float32, {}}));
  list.push_back(cotangents.back());

  const std::vector<Tensor> theta = inputs.theta.leaves(), state = inputs.state.leaves();
  std::vector<Tensor> with_respect_to = theta;
  TracedProgram result{list, {}, theta_.paths(), step.state.leaves()};
  if (form.to_state)
    for (std::size_t i = 0; i < state.size(); ++i)
      if (differentiable_[i]) {
        with_respect_to.push_back(state[i]);
        result.output_names.push_back(state_.paths()[i]);
      }
  append_gradients(result.outputs, vector_jacobian(results, cotangents, with_respect_to), with_respect_to);
  return result;
}

const Executable& InnerProblem::step_gradient(GradientForm form) const {
  std::lock_guard lock(mutex_);
  std::unique_ptr<Executable>& slot = gradients_[form.from_next][form.to_state];
  if (!slot)
    slot = std::make_unique<Executable>(plans_->compile(traced([&] {
      const TracedProgram gradient = traced_gradient(form);
      return make_program("step_gradient", gradient.inputs, gradient.outputs);
    })));
  return *slot;
}

std::optional<Program> InnerProblem::trace_start_gradient() const {
  const Tree theta = inputs_like("theta", theta_);
  Key key{make_input("key", key_type)};
  const std::vector<Tensor> state = trace_start(theta, key).state.leaves();
  std::vector<Tensor> list = theta.leaves(), cotangents(state.size());
  const std::vector<Tensor> wanted = list;
  list.push_back(key.bits);
  for (std::size_t i = 0; i < state.size(); ++i)
    if (differentiable_[i]) list.push_back(cotangents[i] = make_input("d_state", state[i].type()));
  const std::vector<Tensor> gradients = vector_jacobian(state, cotangents, wanted);
  bool depends = false;
  for (const Tensor& gradient : gradients) depends = depends || gradient;
  if (!depends) return std::nullopt;
  std::vector<Tensor> outputs;
  append_gradients(outputs, gradients, wanted);
  return make_program("start_gradient", list, outputs);
}

const Executable* InnerProblem::start_gradient() const {
  std::lock_guard lock(mutex_);
  if (!start_gradient_) {
    std::optional<Program> program = traced([&] { return trace_start_gradient(); });
    start_gradient_ = program ? std::make_unique<Executable>(plans_->compile(*program)) : nullptr;
  }
  return start_gradient_->get();
}

TracedProgram InnerProblem::traced_tangent(TangentForm form) const {
  const Inputs inputs = make_inputs();
  const Step step = trace_step(inputs);
  require_slope(inputs, step);
  std::vector<Tensor> results = step.state.leaves();
  results.push_back(step.loss);
  TracedProgram traced{inputs.list(), results, state_.paths(), step.state.leaves()};
  for (int direction = 0; direction < form.directions; ++direction) {
    std::vector<Tensor> moving, tangents;
    if (form.along_theta) {
      append(moving, inputs.theta);
      append(tangents, inputs_like("d_theta", theta_));
      traced.inputs.insert(traced.inputs.end(), tangents.begin(), tangents.end());
    }
    append(moving, inputs.state);
    const std::vector<Tensor> of_state = tangent_inputs("d_state", traced.inputs);
    tangents.insert(tangents.end(), of_state.begin(), of_state.end());
    const std::vector<Tensor> after = jacobian_vector(results, moving, tangents);
    for (std::size_t i = 0; i < results.size(); ++i)
      if (results[i].dtype() == DType::float32) traced.outputs.push_back(after[i] ? after[i] : zeros_like(results[i]));
  }
  return traced;
}

const Executable& InnerProblem::step_tangent(TangentForm form) const {
  std::lock_guard lock(mutex_);
  auto known = tangents_.find(form);
  if (known == tangents_.end())
    known = tangents_
                .emplace(form, plans_->compile(traced([&] {
                  const TracedProgram tangent = traced_tangent(form);
                  return make_program("step_tangent", tangent.inputs, tangent.outputs);
                })))
                .first;
  return known->second;
}

std::optional<Program> InnerProblem::trace_start_tangent(int directions) const {
  const Tree theta = inputs_like("theta", theta_);
  Key key{make_input("key", key_type)};
  const std::vector<Tensor> state = trace_start(theta, key).state.leaves();
  std::vector<Tensor> list = theta.leaves(), outputs;
  list.push_back(key.bits);
  bool depends = false;
  for (int direction = 0; direction < directions; ++direction) {
    const std::vector<Tensor> tangents = inputs_like("d_theta", theta_).leaves();
    list.insert(list.end(), tangents.begin(), tangents.end());
    const std::vector<Tensor> after = jacobian_vector(state, theta.leaves(), tangents);
    for (std::size_t i = 0; i < state.size(); ++i) {
      if (state[i].dtype() != DType::float32) continue;
      depends = depends || after[i];
      outputs.push_back(after[i] ? after[i] : zeros_like(state[i]));
    }
  }
  return depends ? std::optional(make_program("start_tangent", list, outputs)) : std::nullopt;
}

const Executable* InnerProblem::start_tangent(int directions) const {
  std::lock_guard lock(mutex_);
  auto known = start_tangents_.find(directions);
  if (known == start_tangents_.end()) {
    const std::optional<Program> program = traced([&] { return trace_start_tangent(directions); });
    known =
        start_tangents_.emplace(directions, program ? std::make_unique<Executable>(plans_->compile(*program)) : nullptr)
            .first;
  }
  return known->second.get();
}

}  // namespace lopt
