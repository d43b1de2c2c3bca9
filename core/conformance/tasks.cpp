// Checks of tasks and task families.
#include "conformance/check.h"
#include "conformance/made_up.h"
#include "conformance/slope.h"
#include "data/batch.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>

namespace lopt {
namespace {

const std::vector<std::string> task_kinds{Task::kind, TaskFamily::kind};

/// A task's loss as a traced program, with values of its inputs.
struct TracedTask {
  Tree params, batch;
  Key key{make_input("key", {DType::uint32, {2}})};
  Tensor loss;
  Values start;
  std::vector<Array> batch_values;

  explicit TracedTask(const Task& task) {
    const Tree init = task.init(key);
    start = types_of(init).with_leaves<Array>(compile(make_program("init", {key.bits}, init.leaves()))
                                                  .run(std::vector<Array>{to_array(HostKey::from_seed(2))}));
    // A little beside the start, where much is 0 and functions have kinks.
    const Values noise = normal_like(HostKey::from_seed(3), start, 0.01F);
    start = map(
        [](Array x, const Array& by) {
          if (x.dtype() == DType::float32)
            for (std::size_t i = 0; i < x.size(); ++i) x.mutable_values<float>()[i] += by.values<float>()[i];
          return x;
        },
        start, noise);
    params = inputs_like("params", types_of(init));
    batch = Tree(std::vector<Tree::Entry>{});
    if (const Batches batches = task.batches(); batches.dataset) {
      const Values values = first_batch(batches, HostKey::from_seed(0));
      batch_values = values.leaves();
      batch = inputs_like("batch", types_of(values));
    }
    loss = task.loss(params, batch, key);
  }
  std::vector<Tensor> other_inputs() const {
    std::vector<Tensor> inputs = batch.leaves();
    inputs.push_back(key.bits);
    return inputs;
  }
  std::vector<Array> other_values() const {
    std::vector<Array> values = batch_values;
    values.push_back(to_array(HostKey::from_seed(7)));
    return values;
  }
  float loss_at(const Values& at) const {
    std::vector<Tensor> inputs = params.leaves();
    std::vector<Array> values = at.leaves();
    for (const Tensor& input : other_inputs()) inputs.push_back(input);
    for (const Array& value : other_values()) values.push_back(value);
    return compile(make_program("loss", inputs, {loss})).run(values)[0].item<float>();
  }
};

/// The outcome of a check for each task, until one fails.
template <class Function>
Outcome for_tasks(const Subject& s, Function check) {
  Outcome outcome = pass();
  const auto tasks = s.tasks();
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    outcome = check(*tasks[i]);
    if (outcome.verdict == Outcome::Verdict::passed) continue;
    if (tasks.size() > 1) outcome.text = fmt::format("task {}: {}", i, outcome.text);
    return outcome;
  }
  return outcome;
}

Outcome loss(Subject& s) {
  return for_tasks(s, [](const Task& task) {
    const TracedTask traced(task);
    if (traced.params.leaf_count() == 0) return fail("init() gives no parameters");
    if (traced.loss.type() != Type{DType::float32, {}})
      return fail(fmt::format("loss() gives {}, not a float32 scalar", to_text(traced.loss.type())));
    const float value = traced.loss_at(traced.start);
    if (!std::isfinite(value)) return fail(fmt::format("the loss of the initial parameters is {}", value));
    return pass(fmt::format("{:.4g} at the start", value));
  });
}

Outcome gradient_of_params(Subject& s) {
  return for_tasks(s, [](const Task& task) {
    const TracedTask traced(task);
    return compare_slope(traced.loss, traced.params, traced.start, traced.other_inputs(), traced.other_values());
  });
}

/// NaN and infinity in all parameters: whatever comes out, something does.
Outcome task_with_nan(Subject& s) {
  return for_tasks(s, [](const Task& task) {
    const TracedTask traced(task);
    std::vector<Tensor> inputs = traced.params.leaves();
    for (const Tensor& input : traced.other_inputs()) inputs.push_back(input);
    std::vector<Tensor> outputs = gradient(traced.loss, traced.params.leaves());
    outputs.push_back(traced.loss);
    const Executable step = compile(make_program("loss", inputs, outputs));
    for (const float wrong :
         {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(), -1e38F}) {
      std::vector<Array> values;
      for (const Array& leaf : traced.start.leaves()) {
        values.push_back(leaf);
        for (float& x : values.back().mutable_values<float>()) x = wrong;
      }
      for (const Array& value : traced.other_values()) values.push_back(value);
      static_cast<void>(step.run(values));
    }
    return pass();
  });
}

Outcome task_has_same_bits(Subject& s) {
  const auto tasks = s.tasks();
  return for_tasks(s, [](const Task& task) {
    const TwoWeights learned;
    const Values theta = initial_theta(learned, 0);
    const OptimizerSource source = [](const Tree& weights) -> std::shared_ptr<const Optimizer> {
      return TwoWeights().opt_fn(weights);
    };
    return compare_threads(family_of({std::shared_ptr<void>(), &task}), source, theta);
  });
}

Outcome sample(Subject& s) {
  const auto family = s.as<TaskFamily>();
  if (family->size() == 0) return fail("size() is 0: there is no task");
  std::set<std::size_t> drawn;
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    drawn.insert(family->sample(HostKey::from_seed(seed)));
    if (*drawn.rbegin() >= family->size())
      return fail(fmt::format("sample() draws task {} of {} (they count from 0)", *drawn.rbegin(), family->size()));
  }
  return pass(fmt::format("{} of {} tasks in 1000 draws", drawn.size(), family->size()));
}

}  // namespace

std::vector<Check> task_checks() {
  return {{"sample", {TaskFamily::kind}, {"calls"}, sample},
          {"loss", task_kinds, {"calls"}, loss},
          {"gradient", task_kinds, {"loss"}, gradient_of_params},
          {"nan", task_kinds, {"loss"}, task_with_nan},
          {"same_bits", task_kinds, {"deterministic", "loss"}, task_has_same_bits}};
}

}  // namespace lopt
