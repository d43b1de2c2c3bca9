#include "learn/replay_updates.h"

#include "data/damaged.h"
#include "execute/non_finite.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

namespace lopt {
namespace {

/// Puts a leaf where its path says, as in "layer/w".
void put(std::vector<Values::Entry>& entries, const std::string& path, const Array& leaf) {
  const std::size_t slash = path.find('/');
  const std::string name = path.substr(0, slash);
  if (slash == std::string::npos) {
    entries.emplace_back(name, leaf);
    return;
  }
  for (auto& [known, below] : entries)
    if (known == name && !below.is_leaf()) return put(below.entries(), path.substr(slash + 1), leaf);
  entries.emplace_back(name, Values(std::vector<Values::Entry>{}));
  put(entries.back().second.entries(), path.substr(slash + 1), leaf);
}

/// The arrays of a file whose names begin with `prefix`, as a tree.
Values tree_below(const Values& file, const std::string& prefix) {
  std::vector<Values::Entry> entries;
  for (const auto& [name, array] : file.entries())
    if (name.starts_with(prefix)) put(entries, name.substr(prefix.size()), array.leaf());
  return Values(std::move(entries));
}

/// The same, with the leaves and shapes of the start.
Values tree_like(const Values& start, const Values& file, const std::string& prefix, const std::string& path) {
  std::vector<Array> leaves;
  const std::vector<std::string> names = start.paths();
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::string name = prefix + names[i];
    if (!file.contains(name))
      damaged(path, fmt::format("has no array '{}', though it has 'param_0/{}'", name, names[i]));
    const Array& leaf = file[name].leaf();
    if (leaf.type() != start.leaves()[i].type())
      damaged(path, fmt::format("'{}' is {}, but 'param_0/{}' is {}", name, to_text(leaf.type()), names[i],
                                to_text(start.leaves()[i].type())));
    if (!all_finite(leaf)) damaged(path, fmt::format("'{}' has elements that are not finite", name));
    leaves.push_back(leaf);
  }
  return start.with_leaves<Array>(leaves);
}

}  // namespace

RecordedUpdates read_updates(const std::string& path) {
  const Values file = read_npz(path);
  RecordedUpdates result;
  const Values start = tree_below(file, "param_0/");
  if (start.leaf_count() == 0)
    damaged(path,
            "has no arrays 'param_0/NAME': the parameters at the start; docs/plugins.md says how to write such a file");
  result.params.push_back(tree_like(start, file, "param_0/", path));
  for (int step = 0; tree_below(file, fmt::format("grad_{}/", step)).leaf_count() > 0; ++step) {
    result.grads.push_back(tree_like(start, file, fmt::format("grad_{}/", step), path));
    result.params.push_back(tree_like(start, file, fmt::format("param_{}/", step + 1), path));
  }
  if (result.grads.empty()) damaged(path, "has no arrays 'grad_0/NAME': the gradients of the first step");
  if (!file.contains("loss")) damaged(path, "has no array 'loss': the loss given with each step");
  const Array& loss = file["loss"].leaf();
  if (loss.type() != Type{DType::float32, {std::ssize(result.grads)}})
    damaged(path, fmt::format("'loss' is {}, but there are gradients of {} steps", to_text(loss.type()),
                              result.grads.size()));
  if (!all_finite(loss)) damaged(path, "'loss' has elements that are not finite");
  result.losses.assign(loss.values<float>().begin(), loss.values<float>().end());
  result.theta = tree_below(file, "theta/");
  return result;
}

Values theta_of(const RecordedUpdates& updates, const Types& types, const std::string& path) {
  const std::vector<std::string> wanted = types.paths(), there = updates.theta.paths();
  const std::vector<Array> arrays = updates.theta.leaves();
  std::vector<Array> leaves;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const auto found = std::find(there.begin(), there.end(), wanted[i]);
    if (found == there.end())
      damaged(path, fmt::format("has no 'theta/{}', which this learned optimizer's θ has; its own are: {}", wanted[i],
                                there.empty() ? "none" : fmt::format("{}", fmt::join(there, ", "))));
    const Array& array = arrays[static_cast<std::size_t>(found - there.begin())];
    if (array.type() != types.leaves()[i])
      damaged(path, fmt::format("'theta/{}' is {}; this learned optimizer's is {}", wanted[i], to_text(array.type()),
                                to_text(types.leaves()[i])));
    leaves.push_back(array);
  }
  return types.with_leaves<Array>(leaves);
}

UpdateDifferences replay_updates(const RecordedUpdates& updates, const OptimizerSource& source, const Values& theta,
                                 std::int64_t num_steps) {
  const Types params_types = types_of(updates.params[0]);
  const Tree theta_inputs = inputs_like("theta", types_of(theta)), params = inputs_like("params", params_types),
             grads = inputs_like("grads", params_types);
  const Key key{make_input("key", {DType::uint32, {2}})};
  const std::shared_ptr<const Optimizer> optimizer = source(theta_inputs);
  const Tree start = optimizer->init(params, {num_steps, key});
  const auto list = [](std::initializer_list<const Tree*> trees, std::initializer_list<Tensor> more) {
    std::vector<Tensor> result;
    for (const Tree* tree : trees)
      for (const Tensor& leaf : tree->leaves()) result.push_back(leaf);
    result.insert(result.end(), more);
    return result;
  };
  const Executable begin = compile(make_program("start", list({&theta_inputs, &params}, {key.bits}), start.leaves()));
  const Tree state = inputs_like("state", types_of(start));
  const Tensor loss = make_input("loss", {DType::float32, {}}), iteration = make_input("iteration", {DType::int32, {}});
  const Tree next = optimizer->update(state, grads, {loss, iteration, num_steps, key}), made = optimizer->params(next);
  const Executable step = compile(make_program(
      "step", list({&theta_inputs, &state, &grads}, {loss, iteration, key.bits}), list({&next, &made}, {})));

  const Array key_values = to_array(HostKey::from_seed(0));
  std::vector<Array> inputs = theta.leaves();
  for (const Array& leaf : updates.params[0].leaves()) inputs.push_back(leaf);
  inputs.push_back(key_values);
  std::vector<Array> now = begin.run(inputs);
  UpdateDifferences result{params_types.paths(), {}};
  for (std::size_t k = 0; k < updates.grads.size(); ++k) {
    inputs = theta.leaves();
    inputs.insert(inputs.end(), now.begin(), now.end());
    for (const Array& leaf : updates.grads[k].leaves()) inputs.push_back(leaf);
    inputs.insert(inputs.end(),
                  {Array::scalar(updates.losses[k]), Array::scalar(static_cast<std::int32_t>(k)), key_values});
    const std::vector<Array> outputs = step.run(inputs);
    now.assign(outputs.begin(), outputs.begin() + static_cast<std::ptrdiff_t>(now.size()));
    result.steps.emplace_back();
    for (std::size_t leaf = 0; leaf < result.leaves.size(); ++leaf) {
      const auto ours = outputs[now.size() + leaf].values<float>();
      const Array expected = updates.params[k + 1].leaves()[leaf];
      const auto theirs = expected.values<float>();
      double scale = 1e-30, worst = 0;
      for (float x : theirs) scale = std::max(scale, static_cast<double>(std::abs(x)));
      for (std::size_t i = 0; i < theirs.size(); ++i) {
        const double difference = std::abs(static_cast<double>(ours[i]) - static_cast<double>(theirs[i])) / scale;
        worst = std::isnan(difference) ? INFINITY : std::max(worst, difference);
      }
      result.steps.back().push_back(worst);
    }
  }
  return result;
}

}  // namespace lopt
