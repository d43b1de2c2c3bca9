#include "embed/embedded_optimizer.h"

#include "embed/layout.h"
#include "estimate/lane_stepper.h"
#include "execute/block_team.h"
#include "learn/named_tasks.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <set>
#include <thread>

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

std::vector<Array*> all_of(std::vector<Array>& first, std::vector<Array>* second) {
  std::vector<Array*> all;
  for (Array& array : first) all.push_back(&array);
  if (second)
    for (Array& array : *second) all.push_back(&array);
  return all;
}

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
  trace(num_steps);
  if (step_) return;
  // It does not matter to this rule in which order elements lie: nothing need be copied.
  for (EmbeddedParameter& parameter : parameters_) parameter.axes.clear();
  trace(num_steps);
}

void EmbeddedOptimizer::trace(std::int64_t num_steps) {
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
  const Program start_program = make_program("start", joined({&params}, {key.bits}), begin.leaves());
  const Program step_program = make_program("step", joined({&state, &grads}, {loss, iteration, key.bits}),
                                            leaf_of_.empty() ? joined({&next, &made}, {}) : joined({&next}, {}));
  const bool is_permuted =
      std::any_of(parameters_.begin(), parameters_.end(), [](const EmbeddedParameter& p) { return !p.axes.empty(); });
  if (is_permuted && !leaf_of_.empty() && any_order_will_do(start_program) && any_order_will_do(step_program)) return;
  needs_loss_ = uses(step_program, step_program.inputs[leaves.size() + types_.size()]);
  start_ = compile(start_program);
  step_ = compile(step_program, {.outputs_have_room = true});
  const Tree judged = optimizer_->evaluation_params(state);
  require_types(judged, types_, rule_);
  evaluation_params_ = compile(make_program("evaluation parameters", joined({&state}, {}), judged.leaves()));
  if (leaf_of_.empty()) {
    const Tree moved = optimizer_->with_params(state, params);
    with_params_ = compile(make_program("with parameters", joined({&state, &params}, {}), moved.leaves()));
  }
  for (const Tensor& leaf : leaves) state_types_.push_back(leaf.type());
  params_copy_.resize(types_.size());
  grads_copy_.resize(types_.size());
  description_ = rule_;
  const std::vector<std::string> paths = state.paths();
  for (std::size_t i = 0; i < paths.size(); ++i)
    description_ += fmt::format("; {} {}", paths[i], to_text(leaves[i].type()));
  state_paths_ = paths;
}

const void* EmbeddedOptimizer::readable(const float* memory, std::size_t parameter, Array& copy) const {
  const EmbeddedParameter& p = parameters_[parameter];
  const auto count = static_cast<std::size_t>(element_count(p.shape));
  if (p.axes.empty() && can_be_read_in_vectors(memory, count)) return memory;
  if (copy.type() != types_[parameter]) copy = Array(types_[parameter]);
  auto* to = static_cast<float*>(copy.mutable_data());
  if (count > 0 && p.axes.empty()) std::memcpy(to, memory, count * sizeof(float));
  if (count > 0 && !p.axes.empty()) copy_permuted(p.shape, p.axes, memory, to);
  return to;
}

void EmbeddedOptimizer::write(std::size_t parameter, const Array& from, float* to, float scale) const {
  const EmbeddedParameter& p = parameters_[parameter];
  const std::span<const float> made = from.values<float>();
  std::vector<float> unpermuted;
  const float* values = made.data();
  if (!p.axes.empty() && !made.empty()) {
    if (scale == 1) return copy_back(p.shape, p.axes, values, to);
    unpermuted.resize(made.size());
    copy_back(p.shape, p.axes, values, unpermuted.data());
    values = unpermuted.data();
  }
  if (scale == 1 && !made.empty()) std::memcpy(to, values, made.size() * sizeof(float));
  if (scale != 1)
    for (std::size_t i = 0; i < made.size(); ++i) to[i] += scale * (values[i] - to[i]);
}

void EmbeddedOptimizer::run(const Executable& program, const std::vector<const void*>& inputs,
                            const std::vector<Array*>& outputs) {
  constexpr std::size_t worth_a_thread = std::size_t{1} << 18;  // elements: about what a thread takes to begin
  std::vector<void*> to;
  std::size_t elements = 0;
  for (Array* array : outputs) {
    to.push_back(array->overwritten_data());
    elements += array->size();
  }
  const std::size_t helpers = std::min(static_cast<std::size_t>(threads_) - 1, elements / worth_a_thread);
  if (helpers == 0) return program.run(inputs, to, arena_);
  BlockTeam team(helpers + 1);
  std::vector<std::thread> threads;
  struct Closing {
    BlockTeam& team;
    std::vector<std::thread>& threads;
    ~Closing() {
      team.close();
      for (std::thread& thread : threads) thread.join();
    }
  } const closing{team, threads};
  for (std::size_t i = 0; i < helpers; ++i) threads.emplace_back([&team] { team.help(); });
  program.run(inputs, to, arena_, &team);
}

void EmbeddedOptimizer::take_memory() {
  if (!state_.empty()) return;
  state_ = arrays_of(state_types_);
  next_ = state_;
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

std::vector<const void*> EmbeddedOptimizer::readable_params(std::span<const float* const> params) {
  std::vector<const void*> result;
  for (std::size_t i = 0; i < count(); ++i) result.push_back(readable(params[i], i, params_copy_[i]));
  return result;
}

std::vector<const void*> EmbeddedOptimizer::state_for(std::span<const float* const> params) {
  take_memory();
  const std::vector<const void*> at = readable_params(params);
  const auto state_leaves = [&] {
    std::vector<const void*> leaves;
    for (std::size_t leaf = 0; leaf < state_.size(); ++leaf)
      leaves.push_back(is_direct(leaf) ? at[*parameter_at_[leaf]] : state_[leaf].data());
    return leaves;
  };
  if (!begun_) {
    std::vector<const void*> inputs = at;
    inputs.push_back(key_.data());
    run(*start_, inputs, all_of(state_));
  } else if (with_params_) {
    bool moved = false;
    for (std::size_t i = 0; i < count(); ++i)
      moved = moved || std::memcmp(at[i], made_[i].data(), made_[i].size() * sizeof(float)) != 0;
    if (moved) {
      std::vector<const void*> inputs = state_leaves();
      inputs.insert(inputs.end(), at.begin(), at.end());
      run(*with_params_, inputs, all_of(next_));
      std::swap(state_, next_);
      for (std::size_t i = 0; i < count(); ++i)
        if (made_[i].size() > 0) std::memcpy(made_[i].mutable_data(), at[i], made_[i].size() * sizeof(float));
    }
  }
  return state_leaves();
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
  std::vector<const void*> inputs = state_for({const_cast<const float* const*>(params.data()), params.size()});
  for (std::size_t i = 0; i < count(); ++i)
    inputs.push_back(grads[i] ? readable(grads[i], i, grads_copy_[i]) : zeros());
  const Array loss_array = Array::scalar(loss.value_or(0)),
              iteration = Array::scalar(static_cast<std::int32_t>(iteration_));
  inputs.insert(inputs.end(), {loss_array.data(), iteration.data(), key_.data()});
  run(*step_, inputs, all_of(next_, &made_));
  for (std::size_t i = 0; i < count(); ++i)
    if (grads[i]) write(i, leaf_of_.empty() ? made_[i] : next_[leaf_of_[i]], params[i], scales.empty() ? 1 : scales[i]);
  std::swap(state_, next_);
  begun_ = true;
  ++iteration_;
}

void EmbeddedOptimizer::evaluation_params(std::span<const float* const> params, std::span<float* const> to) {
  const std::vector<const void*> inputs = state_for(params);
  std::vector<Array> judged = arrays_of(types_);
  run(*evaluation_params_, inputs, all_of(judged));
  for (std::size_t i = 0; i < count(); ++i) write(i, judged[i], to[i], 1);
}

}  // namespace lopt
