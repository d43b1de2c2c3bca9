#include "estimate/lane_tangent.h"

#include <algorithm>
#include <cmath>

namespace lopt {
namespace {

/// Directions of a program. The step itself costs about as much as one of them, so with four it is a fifth of all; more
/// would make plans larger for little.
constexpr std::size_t most_directions = 4;

}  // namespace

std::size_t direction_count(const Values& theta, const TangentOptions& tangents) {
  if (!tangents.every_weight)
    return tangents.directions.empty() ? 1 : std::max<std::size_t>(1, tangents.directions[0].now.size());
  std::size_t count = 0;
  for (const Array& leaf : theta.leaves()) count += leaf.size();
  return count;
}

LaneTangent::LaneTangent(const LaneStepper& stepper, const Values& theta, const UnrollOptions& options,
                         const TangentOptions& tangents, const LaneDirections* directions, LaneWorker& worker)
    : stepper_(stepper),
      options_(options),
      tangents_(tangents),
      worker_(worker),
      theta_leaves_(theta.leaves()),
      theta_(pointers_of(theta_leaves_)),
      count_(direction_count(theta, tangents)),
      along_theta_(tangents.every_weight || !directions->now.empty()) {
  for (std::size_t first = 0; first < count_; first += most_directions)
    groups_.push_back({first, static_cast<int>(std::min(most_directions, count_ - first))});
  if (!tangents.every_weight) {
    for (const Values& way : directions->now) ways_.push_back(way.leaves());
    for (const Values& way : directions->begun) begun_ways_.push_back(way.leaves());
    if (begun_ways_.empty()) begun_ways_ = ways_;
    return;
  }
  for (std::size_t leaf = 0; leaf < theta_leaves_.size(); ++leaf)
    for (std::size_t i = 0; i < theta_leaves_[leaf].size(); ++i) places_.emplace_back(leaf, i);
  units_.assign(std::min(count_, most_directions), {arrays_of(types_of(theta).leaves()), 0});
}

std::vector<Array> LaneTangent::zero_tangent(const Lane& lane) const {
  std::vector<Array> result;
  for (const Type& type : stepper_.problem(lane.task).state_types().leaves())
    if (type.dtype == DType::float32) result.emplace_back(type);
  return result;
}

void LaneTangent::append_directions(const Group& group) {
  for (std::size_t i = 0; i < static_cast<std::size_t>(group.size); ++i) {
    if (tangents_.every_weight) {
      turn_to(i, group.first + i);
      append_pointers(worker_.inputs, units_[i].way);
    } else if (along_theta_) {
      append_pointers(worker_.inputs, (begun_ ? begun_ways_ : ways_)[group.first + i]);
    }
    if (!now_.empty()) append_pointers(worker_.inputs, now_[group.first + i]);
  }
}

void LaneTangent::turn_to(std::size_t unit, std::size_t weight) {
  const auto set = [&](std::size_t at, float value) {
    const auto [leaf, element] = places_[at];
    units_[unit].way[leaf].mutable_values<float>()[element] = value;
  };
  set(units_[unit].weight, 0);
  set(weight, 1);
  units_[unit].weight = weight;
}

void LaneTangent::begin(const Lane& lane) {
  if (tangents_.from_start) return start_tangents(lane);
  now_.assign(count_, zero_tangent(lane));
  for (std::size_t d = 0; d < std::min(count_, lane.tangents.size()); ++d) {
    std::size_t at = 0;
    const std::vector<Array> leaves = lane.tangents[d].leaves();
    for (std::size_t i = 0; i < leaves.size(); ++i)
      if (stepper_.problem(lane.task).differentiable()[i]) now_[d][at++] = leaves[i];
  }
}

void LaneTangent::start_tangents(const Lane& lane) {
  const InnerProblem& problem = stepper_.problem(lane.task);
  std::vector<std::vector<Array>> started(count_, zero_tangent(lane));
  if (along_theta_) {
    now_.clear();
    for (const Group& group : groups_) {
      const Executable* program = problem.start_tangent(group.size);
      if (!program) break;
      worker_.key[0] = lane.key.high;
      worker_.key[1] = lane.key.low;
      worker_.inputs = theta_;
      worker_.inputs.push_back(worker_.key);
      append_directions(group);
      worker_.outputs.clear();
      for (std::size_t d = group.first; d < group.first + static_cast<std::size_t>(group.size); ++d)
        for (Array& leaf : started[d]) worker_.outputs.push_back(leaf.mutable_data());
      program->run(worker_.inputs, worker_.outputs, worker_.arena);
    }
  }
  now_ = std::move(started);
}

void LaneTangent::restart(Lane& lane) {
  begun_ = true;
  stepper_.restart(theta_, lane.key, lane, worker_);
  start_tangents(lane);
  next_.assign(count_, zero_tangent(lane));
}

float LaneTangent::step(const Lane& lane, HostKey step_key, const std::vector<Array>& state, std::vector<Array>& next,
                        float* slopes) {
  stepper_.require_uninterrupted();
  const InnerProblem& problem = stepper_.problem(lane.task);
  float loss = 0;
  for (const Group& group : groups_) {
    stepper_.set_inputs(lane, theta_, state, step_key, worker_);
    const std::size_t own_inputs = worker_.inputs.size();
    append_directions(group);
    worker_.outputs = writable(next);
    worker_.outputs.push_back(&loss);
    for (std::size_t d = group.first; d < group.first + static_cast<std::size_t>(group.size); ++d) {
      for (Array& leaf : next_[d]) worker_.outputs.push_back(leaf.mutable_data());
      worker_.outputs.push_back(slopes + d);
    }
    const InnerProblem::TangentForm form{group.size, along_theta_};
    problem.step_tangent(form).run(worker_.inputs, worker_.outputs, worker_.arena, worker_.team);
    LaneObserver* observer = stepper_.observer();
    if (!observer) continue;
    const auto size = static_cast<std::size_t>(group.size);
    const std::vector<const void*> all = worker_.inputs;
    worker_.inputs.resize(own_inputs);
    if (group.first == 0) observer->after_step(lane, problem, worker_, next, loss);
    worker_.inputs = all;
    observer->after_tangent(lane, problem, form, worker_, std::span(next_).subspan(group.first, size),
                            {slopes + group.first, size});
  }
  std::swap(now_, next_);
  return loss;
}

void LaneTangent::run(Lane& lane, float* losses, std::uint8_t* began, float* slopes, float* norms) {
  const auto types = [&]() -> const Types& { return stepper_.problem(lane.task).state_types(); };
  const auto steps = static_cast<std::size_t>(options_.steps);
  std::vector<Array> state = lane.state.leaves(), next = arrays_of(types().leaves());
  std::vector<float> counts(steps);
  ObjectiveLosses counted(stepper_.objective(), options_.loss_clip, {losses, steps}, counts);
  bool diverged = false;
  begin(lane);
  next_.assign(count_, zero_tangent(lane));
  lane.state = Values();
  lane.tangents.clear();
  for (std::size_t k = 0; k < steps; ++k) {
    const auto [step_key, restarts] = advance(lane, options_);
    began[k] = restarts;
    if (restarts) {
      restart(lane);
      state = lane.state.leaves();
      lane.state = Values();
      next = arrays_of(types().leaves());
    }
    const float loss = step(lane, step_key, state, next, slopes + k * count_);
    counted.add(lane, k, restarts, loss);
    diverged = diverged || !std::isfinite(loss);
    std::swap(state, next);
    ++lane.position;
    if (!options_.problem_length) ++lane.iteration;
  }
  counted.finish();
  // A loss above its clip does not move, whatever its tangent is.
  for (std::size_t i = 0; i < steps * count_; ++i) {
    const float scale = counts[i / count_];
    slopes[i] = scale == 0 ? 0 : scale * slopes[i];
  }
  worker_.diverged += diverged;
  for (std::size_t d = 0; d < count_; ++d) {
    std::vector<Array> leaves;
    double square = 0;
    std::size_t at = 0;
    for (const Type& type : types().leaves()) {
      leaves.push_back(type.dtype == DType::float32 ? now_[d][at++] : Array(type));
      if (type.dtype != DType::float32) continue;
      for (const float x : leaves.back().values<float>()) square += static_cast<double>(x) * static_cast<double>(x);
    }
    norms[d] = static_cast<float>(std::sqrt(square));
    lane.tangents.push_back(types().with_leaves<Array>(leaves));
  }
  lane.state = types().with_leaves<Array>(state);
}

}  // namespace lopt
