#include "conformance/behaviour.h"

#include "conformance/made_up.h"
#include "data/sha256.h"
#include "execute/rates.h"
#include "program/program.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace lopt {
namespace {

Key key_input() { return {make_input("key", {DType::uint32, {2}})}; }

/// A program's text with its constants' bits.
std::string text_of(const std::vector<Tensor>& inputs, const Tree& outputs) {
  const Program program = make_program("", inputs, outputs.leaves());
  std::vector<Array> constants;
  for (const Operation& operation : program.operations)
    if (const auto* constant = std::get_if<Constant>(&operation.attributes)) constants.push_back(constant->value);
  return fmt::format("{} {}{}\n", fmt::join(outputs.paths(), " "), to_text(program), digest(constants));
}

void append(std::vector<Tensor>& list, const Tree& tree) {
  for (Tensor& leaf : tree.leaves()) list.push_back(std::move(leaf));
}

std::string of_optimizer(const Optimizer& optimizer, std::vector<Tensor> inputs) {
  const Key key = key_input();
  const Tree params = inputs_like("params", made_up_params());
  const Tree start = optimizer.init(params, {10, key});
  std::vector<Tensor> start_inputs = inputs;
  append(start_inputs, params);
  start_inputs.push_back(key.bits);
  std::string text = text_of(start_inputs, start);
  const Tree state = inputs_like("state", types_of(start)), grads = inputs_like("grads", made_up_params());
  const Tensor loss = make_input("loss", {DType::float32, {}}), iteration = make_input("iteration", {DType::int32, {}});
  const Tree next = optimizer.update(state, grads, {loss, iteration, 10, key});
  append(inputs, state);
  append(inputs, grads);
  inputs.insert(inputs.end(), {loss, iteration, key.bits});
  return text + text_of(inputs, next) + text_of(inputs, optimizer.params(state));
}

std::string of_learned(const LearnedOptimizer& learned) {
  const Key key = key_input();
  const Tree start = learned.init(key), theta = inputs_like("theta", types_of(start));
  return text_of({key.bits}, start) + of_optimizer(*learned.opt_fn(theta), theta.leaves());
}

std::string of_task(const Task& task) {
  const Key key = key_input();
  const Tree start = task.init(key), params = inputs_like("params", types_of(start));
  const Tree batch = inputs_like("batch", batch_types_of(task));
  std::vector<Tensor> inputs = params.leaves();
  append(inputs, batch);
  inputs.push_back(key.bits);
  return text_of({key.bits}, start) + text_of(inputs, {{"loss", task.loss(params, batch, key)}});
}

std::string of_family(const TaskFamily& family) {
  std::string text = fmt::format("{} tasks\n", family.size());
  for (std::uint64_t seed = 0; seed < 20; ++seed) text += fmt::format("{} ", family.sample(HostKey::from_seed(seed)));
  for (std::size_t i = 0; i < std::min<std::size_t>(4, family.size()); ++i) text += of_task(family.task(i));
  return text;
}

std::string of_dataset(const Dataset& dataset) {
  std::string text = digest(dataset.examples(Split::train).leaves()) + digest(dataset.examples(Split::test).leaves());
  std::vector<std::int32_t> indices(7);
  for (std::uint32_t stream : {0U, 3U})
    for (std::int64_t step : {0, 1, 5, 100000}) {
      dataset.batch(HostKey::from_seed(1), stream, step, indices);
      text += fmt::format("{}\n", fmt::join(indices, " "));
    }
  return text;
}

std::string of_schedule(const Schedule& schedule) {
  // Owned by whoever asks.
  const Rate rate(std::shared_ptr<const Schedule>(std::shared_ptr<const Schedule>(), &schedule));
  return fmt::format("{}\n", fmt::join(rates_of(rate, 100), " "));
}

std::string of_estimator(const GradientEstimator& estimator) {
  const QuadraticProblems problems;
  const Values theta = QuadraticProblems::theta();
  EstimatorState state = estimator.init(theta, HostKey::from_seed(1), problems);
  std::string text = fmt::format("{} {}\n", estimator.bias(), estimator.problem_steps());
  for (std::uint64_t step = 0; step < 3; ++step) {
    const Estimate estimate = estimator.estimate(theta, HostKey::from_seed(10 + step), state, problems);
    text += fmt::format("{} {}\n", estimate.loss, digest(estimate.gradient.leaves()));
  }
  return text;
}

}  // namespace

std::string digest(const std::vector<Array>& arrays) {
  std::string all;
  for (const Array& array : arrays) {
    const auto* bytes = static_cast<const std::uint8_t*>(array.data());
    all += to_text(array.type()) + sha256({bytes, array.size() * 4});
  }
  return sha256({reinterpret_cast<const std::uint8_t*>(all.data()), all.size()}).substr(0, 16);
}

std::string behaviour_of(const std::string& kind, const std::shared_ptr<const void>& object) {
  if (kind == Optimizer::kind) return of_optimizer(*static_cast<const Optimizer*>(object.get()), {});
  if (kind == LearnedOptimizer::kind) return of_learned(*static_cast<const LearnedOptimizer*>(object.get()));
  if (kind == Task::kind) return of_task(*static_cast<const Task*>(object.get()));
  if (kind == TaskFamily::kind) return of_family(*static_cast<const TaskFamily*>(object.get()));
  if (kind == Schedule::kind) return of_schedule(*static_cast<const Schedule*>(object.get()));
  if (kind == Dataset::kind) return of_dataset(*static_cast<const Dataset*>(object.get()));
  return of_estimator(*static_cast<const GradientEstimator*>(object.get()));
}

}  // namespace lopt
