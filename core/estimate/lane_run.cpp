#include "estimate/lane_run.h"

#include "trace/large_memory.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <utility>

namespace lopt {

LaneRun::LaneRun(const LaneStepper& stepper, Lane& lane, const Values& theta, const UnrollOptions& options,
                 float* losses, std::uint8_t* began, LaneWorker& worker)
    : stepper_(stepper),
      lane_(lane),
      options_(options),
      began_(began),
      worker_(worker),
      state_(taken_leaves(lane.state)),
      next_(std::exchange(worker.spare_state, {})),
      counted_(stepper.objective(), options.loss_clip, {losses, static_cast<std::size_t>(options.steps)}) {
  theta.for_leaves([&](const Array& leaf) {
    theta_.push_back(leaf.data());
    theta_sizes_.push_back(leaf.size());
  });
  if (worker.spare_task != lane.task || next_.empty() || stepper.observer()) next_ = room();
  for (std::size_t leaf = 0; leaf < state_.size(); ++leaf)
    if (in_place(leaf)) state_[leaf].mutable_data();  // its own from here on, where somebody shares it
}

namespace {
/// Bytes of an array of each lane, and room for what a vector writes behind the last one's.
std::size_t bytes_of_lanes(std::size_t size, std::size_t lanes) {
  constexpr std::size_t line = 64;
  return (4 * size * lanes + line - 1) / line * line + line;
}
}  // namespace

std::size_t LaneRun::bytes_beside(std::size_t lanes) const {
  std::size_t bytes = 0;
  for (std::size_t size : theta_sizes_) bytes += bytes_of_lanes(size, lanes);
  for (const Array& leaf : state_) bytes += 2 * bytes_of_lanes(leaf.size(), lanes);
  return bytes;
}

void LaneRun::lie_beside(std::byte* memory, std::size_t lane, std::size_t lanes) {
  const auto next_place = [&](std::size_t size) {
    return std::exchange(memory, memory + bytes_of_lanes(size, lanes)) + 4 * size * lane;
  };
  for (std::size_t leaf = 0; leaf < theta_.size(); ++leaf) {
    std::byte* const place = next_place(theta_sizes_[leaf]);
    std::memcpy(place, theta_[leaf], 4 * theta_sizes_[leaf]);
    theta_[leaf] = place;
  }
  for (std::size_t leaf = 0; leaf < state_.size(); ++leaf) {
    beside_.push_back(next_place(state_[leaf].size()));
    next_beside_.push_back(in_place(leaf) ? beside_.back() : next_place(state_[leaf].size()));
  }
  copy_state_beside();
}

void LaneRun::copy_state_beside() {
  for (std::size_t leaf = 0; leaf < beside_.size(); ++leaf)
    std::memcpy(beside_[leaf], state_[leaf].data(), 4 * state_[leaf].size());
}

std::vector<Array> LaneRun::room() const {
  const std::vector<Type> types = problem().state_types().leaves();
  std::vector<Array> arrays;
  for (std::size_t leaf = 0; leaf < types.size(); ++leaf)
    arrays.push_back(in_place(leaf) ? Array() : Array(types[leaf]));
  return arrays;
}

void LaneRun::begin_step(int k) {
  const auto [step_key, restarts] = advance(lane_, options_);
  began_[k] = restarts;
  if (restarts) {
    const std::uint32_t task = lane_.task;
    stepper_.restart(theta_, lane_.key, lane_, worker_);
    state_ = taken_leaves(lane_.state);
    if (lane_.task != task) next_ = room();
    copy_state_beside();
  }
  stepper_.prepare(lane_, theta_, state_, step_key, next_, worker_);
  for (std::size_t leaf = 0; leaf < beside_.size(); ++leaf) {
    worker_.inputs[theta_.size() + leaf] = beside_[leaf];
    worker_.outputs[leaf] = next_beside_[leaf];
  }
  for (std::size_t leaf = beside_.size(); leaf < state_.size(); ++leaf)
    if (in_place(leaf)) worker_.outputs[leaf] = const_cast<void*>(worker_.inputs[theta_.size() + leaf]);
}

void LaneRun::step() { stepper_.run_prepared(lane_, next_, worker_); }

void LaneRun::end_step(int k) {
  counted_.add(lane_, static_cast<std::size_t>(k), began_[k] != 0, worker_.loss);
  diverged_ = diverged_ || !std::isfinite(worker_.loss);
  if (!beside_.empty()) {
    std::swap(beside_, next_beside_);
  } else {
    for (std::size_t leaf = 0; leaf < state_.size(); ++leaf)
      if (!in_place(leaf)) std::swap(state_[leaf], next_[leaf]);
  }
  ++lane_.position;
  if (!options_.problem_length) ++lane_.iteration;
}

void LaneRun::finish() {
  counted_.finish();
  worker_.diverged += diverged_;
  for (std::size_t leaf = 0; leaf < beside_.size(); ++leaf)
    std::memcpy(state_[leaf].overwritten_data(), beside_[leaf], 4 * state_[leaf].size());
  give_leaves(lane_.state, std::move(state_));
  worker_.spare_state = std::move(next_);
  worker_.spare_task = lane_.task;
}

void run_lanes(std::span<LaneRun> lanes, int steps) {
  std::array<ProgramRun*, most_lanes_together> runs{};
  for (std::size_t i = 0; i < lanes.size(); ++i) runs[i] = &lanes[i].run();
  std::shared_ptr<std::byte> memory;
  if (lanes.size() > 1 && lanes.front().may_lie_beside()) {
    memory = allocate_for_vectors(lanes.front().bytes_beside(lanes.size()));
    for (std::size_t i = 0; i < lanes.size(); ++i) lanes[i].lie_beside(memory.get(), i, lanes.size());
  }
  for (int k = 0; k < steps; ++k) {
    for (LaneRun& lane : lanes) lane.begin_step(k);
    const Executable& program = lanes.front().program();
    const bool together = lanes.size() > 1 && std::all_of(lanes.begin(), lanes.end(), [&](const LaneRun& lane) {
                            return lane.program().has_plan_of(program);
                          });
    if (together)
      program.run_together(std::span(runs).first(lanes.size()));
    else
      for (LaneRun& lane : lanes) lane.step();
    for (LaneRun& lane : lanes) lane.end_step(k);
  }
  for (LaneRun& lane : lanes) lane.finish();
}

}  // namespace lopt
