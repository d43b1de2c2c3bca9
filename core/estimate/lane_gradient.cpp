#include "estimate/lane_gradient.h"

#include <algorithm>
#include <cmath>

namespace lopt {
namespace {

void add_to(std::vector<Array>& sums, const std::vector<Array>& terms) {
  for (std::size_t i = 0; i < sums.size(); ++i) {
    auto to = sums[i].mutable_values<float>();
    auto from = terms[i].values<float>();
    for (std::size_t k = 0; k < to.size(); ++k) to[k] += from[k];
  }
}

}  // namespace

LaneGradient::LaneGradient(const LaneStepper& stepper, const Values& theta, const UnrollOptions& options,
                           LaneWorker& worker)
    : stepper_(stepper),
      options_(options),
      worker_(worker),
      theta_leaves_(theta.leaves()),
      theta_(pointers_of(theta_leaves_)),
      kept_every_(options.recompute_states ? static_cast<std::size_t>(std::ceil(std::sqrt(options.steps))) : 1),
      d_theta_(arrays_of(types_of(theta).leaves())) {}

void LaneGradient::run(Lane& lane, bool from_start, float weight, float* losses, std::uint8_t* began,
                       std::vector<Array>& gradient, OfState* of_state) {
  forward(lane, from_start, weight, losses, began);
  if (of_state) {
    const ScaledSigns signs = scaled_signs(of_state->key, lane.state);
    of_state->norm = static_cast<float>(std::sqrt(dot(signs.tangent, signs.tangent)));
    for (Array& leaf : signs.cotangent.leaves())
      if (leaf.dtype() == DType::float32) d_state_.push_back(std::move(leaf));
    go_back(From::state, of_state->gradient);
    if (steps_.empty() && from_start) {
      Step start;
      start.lane.task = lane.task;
      start.start_key = lane.key;
      start_gradient(start, of_state->gradient);
    }
    d_state_.clear();
  }
  go_back(From::losses, gradient);
}

void LaneGradient::go_back(From from, std::vector<Array>& gradient) {
  for (std::size_t end = steps_.size(); end > 0;) {
    const std::size_t begin = (end - 1) / kept_every_ * kept_every_;
    if (from == From::state && d_state_.empty()) return;
    restore_states(begin, end);
    for (std::size_t k = end; k-- > begin;) {
      if (from == From::losses || !d_state_.empty()) backward(k, from == From::losses ? steps_[k].slope : 0, gradient);
      if (from == From::losses || k > begin) steps_[k].lane.state = Values();
    }
    end = begin;
  }
}

void LaneGradient::forward(Lane& lane, bool from_start, float weight, float* losses, std::uint8_t* began) {
  HostKey start_key = lane.key;
  bool diverged = false;
  std::vector<float> slopes(static_cast<std::size_t>(options_.steps));
  ObjectiveLosses counted(stepper_.objective(), options_.loss_clip, {losses, slopes.size()}, slopes);
  for (int k = 0; k < options_.steps; ++k) {
    const auto [step_key, restarts] = advance(lane, options_);
    began[k] = restarts;
    if (restarts) {
      start_key = lane.key;
      stepper_.restart(theta_, lane.key, lane, worker_);
    }
    const std::vector<Array> state = lane.state.leaves();
    const Types& types = stepper_.problem(lane.task).state_types();
    std::vector<Array> next = arrays_of(types.leaves());
    const float raw = stepper_.step(lane, theta_, state, step_key, next, worker_);
    counted.add(lane, static_cast<std::size_t>(k), restarts, raw);
    diverged = diverged || !std::isfinite(raw);
    // A problem's first state can be made again from its key, others are kept or computed from one that is.
    const bool kept = static_cast<std::size_t>(k) % kept_every_ == 0;
    Lane before = lane;
    if (!kept) before.state = Values();
    steps_.push_back({std::move(before), step_key, start_key, restarts || (k == 0 && from_start)});
    lane.state = types.with_leaves<Array>(next);
    ++lane.position;
    if (!options_.problem_length) ++lane.iteration;
  }
  counted.finish();
  for (std::size_t k = 0; k < slopes.size(); ++k) steps_[k].slope = slopes[k] * weight;
  worker_.diverged += diverged;
}

void LaneGradient::restore_states(std::size_t begin, std::size_t end) {
  for (std::size_t k = begin + 1; k < end; ++k) {
    Step& step = steps_[k];
    if (step.lane.state.leaf_count() > 0) continue;
    if (step.begins) {
      const std::uint32_t task = step.lane.task;
      stepper_.restart(theta_, step.start_key, step.lane, worker_);
      step.lane.task = task;
      continue;
    }
    const Step& before = steps_[k - 1];
    const Types& types = stepper_.problem(before.lane.task).state_types();
    std::vector<Array> next = arrays_of(types.leaves());
    stepper_.step(before.lane, theta_, before.lane.state.leaves(), before.step_key, next, worker_);
    step.lane.state = types.with_leaves<Array>(next);
  }
}

void LaneGradient::backward(std::size_t k, float slope, std::vector<Array>& gradient) {
  const Step& step = steps_[k];
  const InnerProblem& problem = stepper_.problem(step.lane.task);
  const bool from_next = !d_state_.empty();
  const bool to_state = step.begins ? problem.start_gradient() != nullptr : k > 0;
  const std::vector<Array> state = step.lane.state.leaves();
  stepper_.set_inputs(step.lane, theta_, state, step.step_key, worker_);
  append_pointers(worker_.inputs, d_state_);
  worker_.inputs.push_back(&slope);
  std::vector<Array> d_before;
  if (to_state)
    for (std::size_t i = 0; i < state.size(); ++i)
      if (problem.differentiable()[i]) d_before.emplace_back(state[i].type());
  worker_.outputs = writable(d_theta_);
  for (Array& array : d_before) worker_.outputs.push_back(array.mutable_data());
  problem.step_gradient({from_next, to_state}).run(worker_.inputs, worker_.outputs, worker_.arena, worker_.team);
  if (LaneObserver* observer = stepper_.observer())
    observer->after_gradient(step.lane, problem, {from_next, to_state}, worker_, d_theta_, d_before);
  add_to(gradient, d_theta_);
  d_state_ = std::move(d_before);
  if (step.begins) start_gradient(step, gradient);
}

void LaneGradient::start_gradient(const Step& step, std::vector<Array>& gradient) {
  if (const Executable* program = stepper_.problem(step.lane.task).start_gradient(); program && !d_state_.empty()) {
    worker_.key[0] = step.start_key.high;
    worker_.key[1] = step.start_key.low;
    worker_.inputs = theta_;
    worker_.inputs.push_back(worker_.key);
    append_pointers(worker_.inputs, d_state_);
    program->run(worker_.inputs, writable(d_theta_), worker_.arena);
    add_to(gradient, d_theta_);
  }
  d_state_.clear();
}

}  // namespace lopt
