#include "embed/embedded_task.h"

#include "embed/embedded_spec.h"
#include "estimate/inner_problem.h"
#include "estimate/lane_stepper.h"
#include "learn/training.h"

#include <fmt/format.h>

#include <cstring>

namespace lopt {

EmbeddedTask::EmbeddedTask(const std::string& spec) {
  EmbeddedComponent made = component_of(Task::kind, "task", spec);
  registry_ = std::move(made.registry);
  task_ = std::static_pointer_cast<const Task>(made.component);
  const Key key{make_input("key", {DType::uint32, {2}})};
  const Tree start = task_->init(key);
  if (task_->init_state(key).leaf_count() > 0)
    throw SettingsError(
        "this task keeps a state beside its parameters from step to step, which a function of parameters has not");
  const Types types = types_of(start), batch_types = batch_types_of(*task_);
  param_names_ = types.paths();
  param_types_ = types.leaves();
  batch_names_ = batch_types.paths();
  batch_types_ = batch_types.leaves();
  const Tree params = inputs_like("params", types), batch = inputs_like("batch", batch_types);
  const Tree state(std::vector<Tree::Entry>{});
  const Tensor loss = task_->training_loss(params, state, batch, key).loss;
  if (loss.type() != Type{DType::float32, {}})
    throw ShapeError(fmt::format("the loss is {}, not a float32 scalar", to_text(loss.type())));
  std::vector<Tensor> inputs = params.leaves(), results = gradient(loss, params).leaves();
  for (const Tensor& part : batch.leaves()) inputs.push_back(part);
  inputs.push_back(key.bits);
  results.push_back(loss);
  start_ = compile(make_program("start", {key.bits}, start.leaves()));
  loss_ = compile(make_program("loss", inputs, {loss}));
  gradient_ = compile(make_program("gradient", inputs, results));
}

void EmbeddedTask::init(std::uint64_t seed, std::span<float* const> params) {
  const Array key = to_array(HostKey::from_seed(seed));
  const std::vector<Array> made = start_->run(std::vector<Array>{key});
  for (std::size_t i = 0; i < params.size(); ++i)
    if (made[i].size() > 0) std::memcpy(params[i], made[i].data(), made[i].size() * 4);
}

void EmbeddedTask::batch(std::uint64_t seed, std::int64_t step, std::span<void* const> parts) {
  const Batches batches = task_->batches();
  if (!batches.dataset) return;
  std::vector<std::int32_t> indices(static_cast<std::size_t>(batches.size));
  std::vector<Array> arrays = arrays_of(batch_types_);
  batches.dataset->batch(data_key(seed), 0, step, indices);
  batches.dataset->rows(Split::train, indices, arrays);
  for (std::size_t i = 0; i < parts.size(); ++i)
    if (arrays[i].size() > 0) std::memcpy(parts[i], arrays[i].data(), arrays[i].size() * 4);
}

/// A lane's key goes on from step to step; what a step draws with is split from it.
HostKey EmbeddedTask::key_of(std::uint64_t seed, std::int64_t step) {
  if (last_.step < 0 || last_.seed != seed || last_.step > step) last_ = {seed, 0, HostKey::from_seed(seed)};
  for (; last_.step < step; ++last_.step) last_.before = fold_in(last_.before, 1);
  return fold_in(fold_in(last_.before, 0), 0);
}

std::vector<const void*> EmbeddedTask::copied(std::span<const void* const> memory, const std::vector<Type>& types,
                                              std::vector<Array>& copies) const {
  std::vector<const void*> result;
  copies = arrays_of(types);
  for (std::size_t i = 0; i < types.size(); ++i) {
    if (copies[i].size() > 0) std::memcpy(copies[i].mutable_data(), memory[i], copies[i].size() * 4);
    result.push_back(copies[i].data());
  }
  return result;
}

float EmbeddedTask::loss(std::uint64_t seed, std::int64_t step, std::span<const float* const> params,
                         std::span<const void* const> batch, std::span<float* const> grads) {
  std::vector<Array> params_copies, batch_copies, made;
  const std::vector<const void*> given(params.begin(), params.end());
  std::vector<const void*> inputs = copied(given, param_types_, params_copies);
  const std::vector<const void*> parts = copied(batch, batch_types_, batch_copies);
  inputs.insert(inputs.end(), parts.begin(), parts.end());
  const Array key = to_array(key_of(seed, step));
  inputs.push_back(key.data());
  float loss = 0;
  std::vector<void*> outputs;
  if (!grads.empty()) made = arrays_of(param_types_);
  for (Array& array : made) outputs.push_back(array.mutable_data());
  outputs.push_back(&loss);
  (grads.empty() ? loss_ : gradient_)->run(inputs, outputs, arena_);
  for (std::size_t i = 0; i < grads.size(); ++i)
    if (made[i].size() > 0) std::memcpy(grads[i], made[i].data(), made[i].size() * 4);
  return loss;
}

}  // namespace lopt
