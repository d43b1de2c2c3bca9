#include "learn/meta_update.h"

#include <algorithm>
#include <cmath>

namespace lopt {
namespace {

constexpr std::uint32_t meta = 0x6d657461;  // "meta"

/// f of each element.
template <class Function>
Values map_elements(const Values& tree, Function f) {
  return map(
      [&](Array leaf) {
        for (float& x : leaf.mutable_values<float>()) x = f(x);
        return leaf;
      },
      tree);
}

}  // namespace

float norm_of(const Values& tree) {
  double sum = 0;
  for (const Array& leaf : tree.leaves())
    for (float x : leaf.values<float>()) sum += static_cast<double>(x) * static_cast<double>(x);
  return static_cast<float>(std::sqrt(sum));
}

bool treat(const GradientRules& rules, Values& gradient, float norm, bool& clipped) {
  if (!std::isfinite(norm)) {
    if (!rules.clip_non_finite) return false;
    gradient = map_elements(gradient, [](float x) { return std::isfinite(x) ? x : 0; });
    norm = norm_of(gradient);
    clipped = true;
  }
  if (norm <= rules.clip_norm) return true;
  if (!std::isfinite(norm)) return false;  // finite elements whose norm is none
  const float scale = rules.clip_norm / norm;
  gradient = map_elements(gradient, [scale](float x) { return x * scale; });
  clipped = true;
  return true;
}

MetaUpdate::MetaUpdate(const Experiment& stage, const Values& theta, HostKey key) : theta_types_(types_of(theta)) {
  const Optimizer& optimizer = *stage.meta_optimizer;
  Key step_key{make_input("key", {DType::uint32, {2}})};
  const Tree params = inputs_like("theta", theta_types_);
  const Tree begun = optimizer.init(params, {stage.steps, step_key});
  state_types_ = types_of(begun);
  std::vector<Tensor> inputs = params.leaves();
  inputs.push_back(step_key.bits);
  std::vector<Array> values = theta.leaves();
  values.push_back(to_array(fold_in(key, meta)));
  start_ = state_types_.with_leaves<Array>(
      compile(make_program("meta-optimizer start", inputs, begun.leaves())).run(values));

  const Tree state = inputs_like("state", state_types_), gradient = inputs_like("gradient", theta_types_);
  const Tensor loss = make_input("loss", {DType::float32, {}}), iteration = make_input("iteration", {DType::int32, {}});
  const Tree next = optimizer.update(state, gradient, {loss, iteration, stage.steps, step_key});
  inputs = state.leaves();
  for (const Tensor& leaf : gradient.leaves()) inputs.push_back(leaf);
  inputs.insert(inputs.end(), {loss, iteration, step_key.bits});
  std::vector<Tensor> outputs = next.leaves();
  const std::vector<Tensor> stepped = optimizer.params(next).leaves(),
                            average = optimizer.evaluation_params(next).leaves();
  outputs.insert(outputs.end(), stepped.begin(), stepped.end());
  has_average_ = !std::equal(stepped.begin(), stepped.end(), average.begin(), average.end(),
                             [](const Tensor& a, const Tensor& b) { return a.node() == b.node(); });
  if (has_average_) outputs.insert(outputs.end(), average.begin(), average.end());
  update_ = std::make_unique<Executable>(compile(make_program("meta-optimizer update", inputs, outputs)));
}

bool MetaUpdate::fits(const Values& state) const {
  const Types types = types_of(state);
  return types.paths() == state_types_.paths() && types.leaves() == state_types_.leaves();
}

MetaUpdate::Next MetaUpdate::operator()(const Values& optimizer, const Values& gradient, float loss, int iteration,
                                        HostKey key) const {
  std::vector<Array> inputs = optimizer.leaves();
  for (const Array& leaf : gradient.leaves()) inputs.push_back(leaf);
  inputs.push_back(Array::scalar(loss));
  inputs.push_back(Array::scalar(static_cast<std::int32_t>(iteration)));
  inputs.push_back(to_array(fold_in(key, meta)));
  const std::vector<Array> outputs = update_->run(inputs);
  const std::size_t states = state_types_.leaf_count(), params = theta_types_.leaf_count();
  Next next;
  next.optimizer = state_types_.with_leaves<Array>(std::span(outputs).first(states));
  next.theta = theta_types_.with_leaves<Array>(std::span(outputs).subspan(states, params));
  if (has_average_) next.average = theta_types_.with_leaves<Array>(std::span(outputs).last(params));
  return next;
}

}  // namespace lopt
