#include "embed/embedded_optimizer.h"

#include "embed/layout.h"
#include "embed/row_order.h"
#include "embed/step_threads.h"
#include "estimate/lane_stepper.h"
#include "learn/named_tasks.h"
#include "plan/in_place.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <set>

namespace lopt {
namespace {

/// Kernels read whole vectors, so that what lies behind an array must be there: to 64 bytes, on the page of its end.
bool can_be_read_in_vectors(const float* memory, std::size_t count) {
#ifdef __SANITIZE_ADDRESS__
  return false;
#endif
  constexpr std::uintptr_t page = 4096;
  const auto end = reinterpret_cast<std::uintptr_t>(memory + count);
  return end % 4 == 0 && (end - 1) / page == (end + 63) / page;
}

/// What a rule gives as parameters lies where these lie.
void require_types(const Tree& params, const std::vector<Type>& types, const std::string& rule) {
  if (types_of(params).leaves() == types) return;
  const auto list = [](const std::vector<Type>& all) {
    std::string text;
    for (const Type& type : all) text += (text.empty() ? "" : ", ") + to_text(type);
    return text;
  };
  throw ShapeError(fmt::format("params() of the rule '{}' gives {} where the parameters are {}", rule,
                               list(types_of(params).leaves()), list(types)));
}

Types tree_of(const std::vector<EmbeddedParameter>& parameters, const std::vector<Type>& types) {
  std::vector<Types::Entry> entries;
  for (std::size_t i = 0; i < parameters.size(); ++i) entries.emplace_back(parameters[i].name, types[i]);
  return Types(std::move(entries));
}

std::vector<Tensor> joined(std::initializer_list<const Tree*> trees, std::initializer_list<Tensor> more) {
  std::vector<Tensor> all;
  for (const Tree* tree : trees)
    for (const Tensor& leaf : tree->leaves()) all.push_back(leaf);
  all.insert(all.end(), more);
  return all;
}

bool uses(const Program& program, ValueId value) {
  return std::any_of(program.operations.begin(), program.operations.end(), [&](const Operation& op) {
    return std::find(op.inputs.begin(), op.inputs.end(), value) != op.inputs.end();
  });
}

void require_parameters(std::vector<EmbeddedParameter>& parameters) {
  if (parameters.empty()) throw SettingsError("an optimizer wants at least one parameter");
  std::set<std::string> names;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    EmbeddedParameter& p = parameters[i];
    if (p.name.empty()) p.name = fmt::format("parameter {}", i);
    std::replace(p.name.begin(), p.name.end(), '/', '.');
    if (!names.insert(p.name).second) throw SettingsError(fmt::format("there are two parameters '{}'", p.name));
    double elements = 1;
    for (const std::int64_t length : p.shape) {
      if (length < 0)
        throw ShapeError(fmt::format("the parameter '{}' has the shape [{}]; lengths are 0 or more", p.name,
                                     fmt::join(p.shape, ", ")));
      elements *= static_cast<double>(length);
    }
    if (elements > 1e12)
      throw ShapeError(fmt::format("the parameter '{}' of the shape [{}] is larger than any memory", p.name,
                                   fmt::join(p.shape, ", ")));
    std::vector<std::size_t> sorted = p.axes, all(p.shape.size());
    std::sort(sorted.begin(), sorted.end());
    for (std::size_t axis = 0; axis < all.size(); ++axis) all[axis] = axis;
    if (!p.axes.empty() && sorted != all)
      throw ShapeError(fmt::format("the axes [{}] of the parameter '{}' must be the numbers from 0 to {}, each once",
                                   fmt::join(p.axes, ", "), p.name, static_cast<int>(all.size()) - 1));
    if (p.axes == all) p.axes.clear();
  }
}

}  // namespace

struct EmbeddedOptimizer::Programs {
  Program start, step, evaluation;
  std::optional<Program> with_params;
};

EmbeddedOptimizer::EmbeddedOptimizer(const std::string& spec, const std::vector<EmbeddedParameter>& parameters,
                                     std::int64_t num_steps)
    : parameters_(parameters), key_(to_array(HostKey::from_seed(0))) {
  require_parameters(parameters_);
  if (num_steps < 0) throw SettingsError(fmt::format("num_steps is {}; it is 0 (not known) or more", num_steps));
  EmbeddedComponent made = component_of(Optimizer::kind, "optimizer", spec);
  registry_ = std::move(made.registry);
  optimizer_ = std::static_pointer_cast<const Optimizer>(made.component);
  const SpecNode* learned = made.resolved.find("learned_optimizer");
  rule_ = plugin_of(made.resolved) + (learned ? " " + plugin_of(*learned) : "");
  plan(as_they_lie(trace(num_steps), num_steps));
}

EmbeddedOptimizer::Programs EmbeddedOptimizer::trace(std::int64_t num_steps) {
  types_.clear();
  for (const EmbeddedParameter& p : parameters_) types_.push_back({DType::float32, permuted(p.shape, p.axes)});
  const Types types = tree_of(parameters_, types_);
  const Tree params = inputs_like("params", types), grads = inputs_like("grads", types);
  const Key key{make_input("key", {DType::uint32, {2}})};
  const Tensor loss = make_input("loss", {DType::float32, {}}), iteration = make_input("iteration", {DType::int32, {}});
  const Tree begin = optimizer_->init(params, {num_steps, key});
  const Tree state = inputs_like("state", types_of(begin));
  const Tree next = optimizer_->update(state, grads, {loss, iteration, num_steps, key});
  const Tree made_now = optimizer_->params(state), made = optimizer_->params(next);
  require_types(made_now, types_, rule_);
  require_types(made, types_, rule_);
  const std::vector<Tensor> leaves = state.leaves(), next_leaves = next.leaves(), now = made_now.leaves(),
                            then = made.leaves();
  parameter_at_.assign(leaves.size(), std::nullopt);
  leaf_of_.clear();
  for (std::size_t i = 0; i < now.size(); ++i) {
    const auto leaf = static_cast<std::size_t>(
        std::find_if(leaves.begin(), leaves.end(), [&](const Tensor& x) { return x.node() == now[i].node(); }) -
        leaves.begin());
    if (leaf == leaves.size() || next_leaves[leaf].node() != then[i].node() || parameter_at_[leaf]) break;
    parameter_at_[leaf] = i;
    leaf_of_.push_back(leaf);
  }
  if (leaf_of_.size() < now.size()) {
    parameter_at_.assign(leaves.size(), std::nullopt);
    leaf_of_.clear();
  }
  std::vector<Tensor> begun;
  for (std::size_t leaf = 0; leaf < leaves.size(); ++leaf)
    if (!is_direct(leaf)) begun.push_back(begin.leaves()[leaf]);
  Programs programs;
  programs.start = make_program("start", joined({&params}, {key.bits}), begun);
  programs.step = make_program("step", joined({&state, &grads}, {loss, iteration, key.bits}),
                               leaf_of_.empty() ? joined({&next, &made}, {}) : joined({&next}, {}));
  const Tree judged = optimizer_->evaluation_params(state);
  require_types(judged, types_, rule_);
  programs.evaluation = make_program("evaluation parameters", joined({&state}, {}), judged.leaves());
  if (leaf_of_.empty()) {
    const Tree moved = optimizer_->with_params(state, params);
    programs.with_params = make_program("with parameters", joined({&state, &params}, {}), moved.leaves());
  }
  state_types_.clear();
  for (const Tensor& leaf : leaves) state_types_.push_back(leaf.type());
  state_paths_ = state.paths();
  return programs;
}

EmbeddedOptimizer::Programs EmbeddedOptimizer::as_they_lie(Programs programs, std::int64_t num_steps) {
  std::vector<Shape> permuted_shapes;
  for (std::size_t i = 0; i < count(); ++i)
    if (!parameters_[i].axes.empty()) permuted_shapes.push_back(types_[i].shape);
  const auto in_any_order = [&](const Program& program) { return any_order_will_do(program, permuted_shapes); };
  if (permuted_shapes.empty() || leaf_of_.empty() || !in_any_order(programs.start) || !in_any_order(programs.step) ||
      !in_any_order(programs.evaluation))
    return programs;
  const std::vector<EmbeddedParameter> seen = parameters_;
  for (EmbeddedParameter& parameter : parameters_) parameter.axes.clear();
  Programs other = trace(num_steps);
  if (same_but_for_shapes(programs.start, other.start) && same_but_for_shapes(programs.step, other.step) &&
      same_but_for_shapes(programs.evaluation, other.evaluation))
    return other;
  parameters_ = seen;  // the rule asks for lengths of dimensions
  return trace(num_steps);
}

void EmbeddedOptimizer::plan(const Programs& programs) {
  needs_loss_ = uses(programs.step, programs.step.inputs[state_types_.size() + types_.size()]);
  start_ = compile(programs.start);
  // Behind parameters that lie where the other program has them, nothing may be written.
  PlanOptions options = all_outputs_have_room(programs.step);
  for (std::size_t leaf = 0; leaf < state_types_.size(); ++leaf) options.outputs_with_room[leaf] = !is_direct(leaf);
  step_ = compile(programs.step, options);
  const InPlace in_place(step_->plan());
  for (std::size_t leaf = 0; leaf < state_types_.size(); ++leaf) in_place_.push_back(in_place.allows(leaf, leaf));
  evaluation_params_ = compile(programs.evaluation);
  if (programs.with_params) with_params_ = compile(*programs.with_params);
  params_copy_.resize(types_.size());
  grads_copy_.resize(types_.size());
  description_ = rule_;
  for (std::size_t leaf = 0; leaf < state_types_.size(); ++leaf)
    description_ += fmt::format("; {} {}", state_paths_[leaf], to_text(state_types_[leaf]));
}

std::size_t EmbeddedOptimizer::elements() const {
  std::size_t count = 0;
  for (const Type& type : types_) count += static_cast<std::size_t>(element_count(type.shape));
  return count;
}

float* EmbeddedOptimizer::readable(float* memory, std::size_t parameter, Array& copy, BlockTeam* team) const {
  const EmbeddedParameter& p = parameters_[parameter];
  const auto count = static_cast<std::size_t>(element_count(p.shape));
  if (p.axes.empty() && can_be_read_in_vectors(memory, count)) return memory;
  if (copy.type() != types_[parameter]) copy = Array(types_[parameter]);
  auto* to = static_cast<float*>(copy.mutable_data());
  if (count > 0 && p.axes.empty()) std::memcpy(to, memory, count * sizeof(float));
  if (count > 0 && !p.axes.empty()) copy_permuted(p.shape, p.axes, memory, to, team);
  return to;
}

void EmbeddedOptimizer::write(std::size_t parameter, const float* from, float* to, float scale, BlockTeam* team) const {
  const EmbeddedParameter& p = parameters_[parameter];
  const auto count = static_cast<std::size_t>(element_count(p.shape));
  std::vector<float> unpermuted;
  if (!p.axes.empty() && count > 0) {
    if (scale == 1) return copy_back(p.shape, p.axes, from, to, team);
    unpermuted.resize(count);
    copy_back(p.shape, p.axes, from, unpermuted.data(), team);
    from = unpermuted.data();
  }
  if (scale == 1 && count > 0 && from != to) std::memcpy(to, from, count * sizeof(float));
  if (scale != 1)
    for (std::size_t i = 0; i < count; ++i) to[i] += scale * (from[i] - to[i]);
}

void EmbeddedOptimizer::take_memory() {
  if (!state_.empty()) return;
  for (std::size_t leaf = 0; leaf < state_types_.size(); ++leaf)
    state_.push_back(is_direct(leaf) ? Array() : Array(state_types_[leaf]));
  next_.resize(state_.size());
  if (leaf_of_.empty()) made_ = arrays_of(types_);
}

const void* EmbeddedOptimizer::zeros() {
  if (zeros_.shape().empty()) {
    std::int64_t largest = 0;
    for (const Type& type : types_) largest = std::max(largest, element_count(type.shape));
    zeros_ = Array(DType::float32, {largest});
  }
  return zeros_.data();
}

std::vector<float*> EmbeddedOptimizer::readable_params(std::span<float* const> params, BlockTeam* team) {
  std::vector<float*> result;
  for (std::size_t i = 0; i < count(); ++i) result.push_back(readable(params[i], i, params_copy_[i], team));
  return result;
}

void EmbeddedOptimizer::begin(const std::vector<float*>& params, BlockTeam* team) {
  std::vector<const void*> inputs(params.begin(), params.end());
  inputs.push_back(key_.data());
  std::vector<void*> to;
  for (std::size_t leaf = 0; leaf < state_.size(); ++leaf)
    if (!is_direct(leaf)) to.push_back(state_[leaf].overwritten_data());
  start_->run(inputs, to, arena_, team);
}

std::vector<void*> EmbeddedOptimizer::state_for(std::span<float* const> params, BlockTeam* team) {
  take_memory();
  const std::vector<float*> at = readable_params(params, team);
  const auto state_leaves = [&] {
    std::vector<void*> leaves;
    for (std::size_t leaf = 0; leaf < state_.size(); ++leaf)
      leaves.push_back(is_direct(leaf) ? at[*parameter_at_[leaf]] : state_[leaf].mutable_data());
    return leaves;
  };
  if (!begun_) {
    begin(at, team);
  } else if (with_params_) {
    bool moved = false;
    for (std::size_t i = 0; i < count(); ++i)
      moved = moved || std::memcmp(at[i], made_[i].data(), made_[i].size() * sizeof(float)) != 0;
    if (moved) {
      const std::vector<void*> state = state_leaves();
      std::vector<const void*> inputs(state.begin(), state.end());
      inputs.insert(inputs.end(), at.begin(), at.end());
      std::vector<Array> next = arrays_of(state_types_);
      with_params_->run(inputs, writable(next), arena_, team);
      state_ = std::move(next);
      for (std::size_t i = 0; i < count(); ++i)
        if (made_[i].size() > 0) std::memcpy(made_[i].mutable_data(), at[i], made_[i].size() * sizeof(float));
    }
  }
  return state_leaves();
}

std::vector<void*> EmbeddedOptimizer::next_of(const std::vector<void*>& state, const std::vector<bool>& stays) {
  std::vector<void*> to;
  for (std::size_t leaf = 0; leaf < state_.size(); ++leaf) {
    const bool may_move = !is_direct(leaf) || !stays[*parameter_at_[leaf]];
    if (may_move && in_place_[leaf]) {
      to.push_back(state[leaf]);
      continue;
    }
    if (next_[leaf].type() != state_types_[leaf]) next_[leaf] = Array(state_types_[leaf]);
    to.push_back(next_[leaf].overwritten_data());
  }
  return to;
}

void EmbeddedOptimizer::step(std::span<float* const> params, std::span<const float* const> grads,
                             std::optional<float> loss, std::span<const float> scales) {
  if (needs_loss_ && !loss && iteration_ == 0) without_loss_ = optimizer_->can_do_without_loss();
  if (needs_loss_ && !loss && !without_loss_)
    throw SettingsError(
        optimizer_->can_do_without_loss()
            ? fmt::format("the rule '{}' began with the loss: every step wants it beside the gradients", rule_)
            : fmt::format("the rule '{}' looks at the loss: every step wants it beside the gradients; the recipe "
                          "`general` goes without",
                          rule_));
  if (without_loss_) loss.reset();
  StepThreads threads(threads_, elements());
  BlockTeam* const team = threads.team();
  const std::vector<void*> state = state_for(params, team);
  std::vector<const void*> inputs(state.begin(), state.end());
  std::vector<bool> stays;
  for (std::size_t i = 0; i < count(); ++i) {
    inputs.push_back(grads[i] ? readable(const_cast<float*>(grads[i]), i, grads_copy_[i], team) : zeros());
    stays.push_back(!grads[i] || (!scales.empty() && scales[i] != 1));
  }
  const Array loss_array = Array::scalar(loss.value_or(0)),
              iteration = Array::scalar(static_cast<std::int32_t>(iteration_));
  inputs.insert(inputs.end(), {loss_array.data(), iteration.data(), key_.data()});
  std::vector<void*> to = next_of(state, stays);
  for (Array& made : made_) to.push_back(made.overwritten_data());
  step_->run(inputs, to, arena_, team);
  for (std::size_t i = 0; i < count(); ++i)
    if (grads[i])
      write(i, static_cast<const float*>(leaf_of_.empty() ? made_[i].data() : to[leaf_of_[i]]), params[i],
            scales.empty() ? 1 : scales[i], team);
  for (std::size_t leaf = 0; leaf < state_.size(); ++leaf)
    if (!is_direct(leaf) && to[leaf] != state[leaf]) std::swap(state_[leaf], next_[leaf]);
  begun_ = true;
  ++iteration_;
}

void EmbeddedOptimizer::evaluation_params(std::span<const float* const> params, std::span<float* const> to) {
  StepThreads threads(threads_, elements());
  const std::vector<void*> state = state_for({const_cast<float* const*>(params.data()), params.size()}, threads.team());
  const std::vector<const void*> inputs(state.begin(), state.end());
  std::vector<Array> judged = arrays_of(types_);
  evaluation_params_->run(inputs, writable(judged), arena_, threads.team());
  for (std::size_t i = 0; i < count(); ++i)
    write(i, static_cast<const float*>(judged[i].data()), to[i], 1, threads.team());
}

}  // namespace lopt
