#include "estimate/lane_unroller.h"

#include "estimate/memory.h"

#include <fmt/format.h>
#include <tbb/blocked_range.h>
#include <tbb/parallel_for.h>

#include <algorithm>
#include <cmath>
#include <cstring>

namespace lopt {
namespace {

std::vector<const void*> pointers_of(const std::vector<Array>& arrays) {
  std::vector<const void*> result;
  for (const Array& array : arrays) result.push_back(array.data());
  return result;
}
std::vector<void*> writable(std::vector<Array>& arrays) {
  std::vector<void*> result;
  for (Array& array : arrays) result.push_back(array.mutable_data());
  return result;
}
std::vector<Array> arrays_of(const std::vector<Type>& types) {
  std::vector<Array> result;
  for (const Type& type : types) result.emplace_back(type);
  return result;
}
void append(std::vector<const void*>& list, const std::vector<Array>& arrays) {
  for (const Array& array : arrays) list.push_back(array.data());
}
void add_to(std::vector<Array>& sums, const std::vector<Array>& terms) {
  for (std::size_t i = 0; i < sums.size(); ++i) {
    auto to = sums[i].mutable_values<float>();
    auto from = terms[i].values<float>();
    for (std::size_t k = 0; k < to.size(); ++k) to[k] += from[k];
  }
}

/// The loss that counts, and d counted / d loss: 1 below the clip, ½ at it (as in JAX), 0 above it and at NaN.
struct CountedLoss {
  float value, slope;
};
CountedLoss counted(float loss, float clip) {
  if (std::isnan(loss)) return {std::isinf(clip) ? loss : clip, std::isinf(clip) ? 1.0F : 0.0F};
  if (loss < clip || std::isinf(clip)) return {loss, 1};
  return {clip, loss == clip ? 0.5F : 0.0F};
}

}  // namespace

/// What a thread works with.
struct LaneUnroller::Worker {
  Arena arena;
  std::vector<std::int32_t> indices;
  std::vector<Array> batch;
  std::uint32_t task = ~0U;  // whose batch it is
  std::uint32_t key[2] = {};
  std::int32_t iteration = 0;
  std::vector<const void*> inputs;
  std::vector<void*> outputs;
  bool parallel = false;  // fewer lanes than threads: blocks of rows inside a lane run side by side
};

namespace {
/// One step of the truncated unroll: the keys, and whether a new problem begins.
struct Advance {
  HostKey step_key;
  bool restart;
};
Advance advance(Lane& lane, const UnrollOptions& options) {
  const HostKey step_key = fold_in(lane.key, 0);  // both halves of split(key)
  lane.key = fold_in(lane.key, 1);
  const bool restart = options.problem_length && lane.iteration >= *options.problem_length;
  if (options.problem_length) lane.iteration = restart ? 0 : lane.iteration + 1;
  return {step_key, restart};
}
}  // namespace

LaneUnroller::LaneUnroller(std::shared_ptr<const TaskFamily> family, const OptimizerSource& optimizer,
                           const Types& theta, HostKey data_key, int threads, std::int64_t num_steps)
    : family_(std::move(family)), data_key_(data_key), thread_count_(threads), threads_(threads) {
  for (std::size_t i = 0; i < family_->size(); ++i) {
    problems_.push_back(std::make_unique<InnerProblem>(family_->size() == 1 ? "task" : fmt::format("task {}", i),
                                                       family_->task(i), optimizer, theta, num_steps));
    batches_.push_back(family_->task(i).batches());
    require_memory(problems_.back()->step().plan().arena_bytes, "one step of the task");
  }
}
LaneUnroller::~LaneUnroller() = default;

LaneUnroller::Worker& LaneUnroller::worker(std::size_t lanes) const {
  std::unique_ptr<Worker>& mine = workers_.local();
  if (!mine) mine = std::make_unique<Worker>();
  mine->parallel = lanes < static_cast<std::size_t>(thread_count_);
  return *mine;
}

template <class Function>
void LaneUnroller::for_lanes(std::size_t count, Function f) const {
  // One lane at a time: lanes are long, and threads should end together.
  threads_.execute([&] {
    tbb::parallel_for(
        tbb::blocked_range<std::size_t>(0, count, 1), [&](const auto& range) { f(range.begin()); },
        tbb::simple_partitioner());
  });
}

void LaneUnroller::restart(const std::vector<const void*>& theta, HostKey key, Lane& lane, Worker& w) const {
  lane.task = static_cast<std::uint32_t>(family_->sample(key));
  const InnerProblem& problem = *problems_[lane.task];
  w.key[0] = key.high;
  w.key[1] = key.low;
  std::vector<Array> state = arrays_of(problem.state_types().leaves());
  w.inputs = theta;
  w.inputs.push_back(w.key);
  problem.start().run(w.inputs, writable(state), w.arena);
  lane.state = problem.state_types().with_leaves<Array>(state);
}

std::vector<Lane> LaneUnroller::start(std::span<const LaneStart> starts) const {
  std::size_t state_bytes = 0;
  for (const auto& problem : problems_) {
    std::size_t bytes = 0;
    for (const Type& type : problem->state_types().leaves())
      bytes += 4 * static_cast<std::size_t>(element_count(type.shape));
    state_bytes = std::max(state_bytes, bytes);
  }
  // Each lane keeps its state and makes the next beside it.
  require_memory(2 * state_bytes * starts.size(), fmt::format("{} inner problems at once", starts.size()));
  std::vector<Lane> lanes(starts.size());
  for_lanes(lanes.size(), [&](std::size_t i) {
    lanes[i].stream = starts[i].stream;
    lanes[i].position = starts[i].position;
    lanes[i].key = starts[i].key;
    const std::vector<Array> theta = starts[i].theta.leaves();
    restart(pointers_of(theta), starts[i].key, lanes[i], worker(lanes.size()));
  });
  return lanes;
}

void LaneUnroller::load_batch(const Lane& lane, Worker& w) const {
  const Batches& batches = batches_[lane.task];
  if (!batches.dataset) {
    w.batch.clear();
    return;
  }
  if (w.task != lane.task || w.batch.empty()) {
    w.batch = arrays_of(problems_[lane.task]->batch_types().leaves());
    w.indices.resize(static_cast<std::size_t>(batches.size));
    w.task = lane.task;
  }
  batches.dataset->batch(data_key_, lane.stream, lane.position, w.indices);
  const std::vector<Array> examples = batches.dataset->examples(Split::train).leaves();
  for (std::size_t leaf = 0; leaf < examples.size(); ++leaf) {
    const auto count = static_cast<std::int32_t>(examples[leaf].shape()[0]);
    const std::size_t width = examples[leaf].size() / static_cast<std::size_t>(count) * 4;
    auto* to = static_cast<std::byte*>(w.batch[leaf].mutable_data());
    const auto* from = static_cast<const std::byte*>(examples[leaf].data());
    for (std::int32_t index : w.indices) {
      if (index < 0 || index >= count)
        throw DataError(fmt::format("the dataset asks for example {} of {}", index, count));
      std::memcpy(to, from + static_cast<std::size_t>(index) * width, width);
      to += width;
    }
  }
}

void LaneUnroller::run_lane(Lane& lane, const Values& theta, const UnrollOptions& options, float* losses,
                            std::uint8_t* began, Worker& w) const {
  const std::vector<Array> theta_leaves = theta.leaves();
  const std::vector<const void*> theta_pointers = pointers_of(theta_leaves);
  std::vector<Array> state = lane.state.leaves(), next = arrays_of(problems_[lane.task]->state_types().leaves());
  lane.state = Values();  // so that the arrays are not shared, and not copied when written to
  for (int k = 0; k < options.steps; ++k) {
    const auto [step_key, restarts] = advance(lane, options);
    began[k] = restarts;
    if (restarts) {
      restart(theta_pointers, lane.key, lane, w);
      state = lane.state.leaves();
      lane.state = Values();
      next = arrays_of(problems_[lane.task]->state_types().leaves());
    }
    load_batch(lane, w);
    w.key[0] = step_key.high;
    w.key[1] = step_key.low;
    w.iteration = static_cast<std::int32_t>(lane.iteration);
    w.inputs = theta_pointers;
    append(w.inputs, state);
    append(w.inputs, w.batch);
    w.inputs.push_back(w.key);
    w.inputs.push_back(&w.iteration);
    float loss = 0;
    w.outputs.clear();
    for (Array& array : next) w.outputs.push_back(array.mutable_data());
    w.outputs.push_back(&loss);
    problems_[lane.task]->step().run(w.inputs, w.outputs, w.arena, w.parallel);
    losses[k] = counted(loss, options.loss_clip).value;
    std::swap(state, next);
    ++lane.position;
    if (!options.problem_length) ++lane.iteration;
  }
  lane.state = problems_[lane.task]->state_types().with_leaves<Array>(state);
}

Unrolled LaneUnroller::unroll(std::vector<Lane> lanes, std::span<const Values> thetas,
                              const UnrollOptions& options) const {
  Unrolled result{std::move(lanes), {}, {}};
  const auto steps = static_cast<std::size_t>(options.steps);
  result.losses.resize(result.lanes.size() * steps);
  result.began.resize(result.losses.size());
  for_lanes(result.lanes.size(), [&](std::size_t i) {
    run_lane(result.lanes[i], thetas[i], options, &result.losses[i * steps], &result.began[i * steps],
             worker(result.lanes.size()));
  });
  return result;
}

void LaneUnroller::run_lane_gradient(Lane& lane, const Values& theta, const UnrollOptions& options, bool from_start,
                                     float weight, float* losses, std::uint8_t* began, std::vector<Array>& gradient,
                                     Worker& w) const {
  const std::vector<Array> theta_leaves = theta.leaves();
  const std::vector<const void*> theta_pointers = pointers_of(theta_leaves);
  // Forward: the lane as it stands before each step. Steps are run again backwards from there.
  struct Before {
    Lane lane;
    HostKey step_key, restart_key;
    float slope;
  };
  std::vector<Before> steps;
  const HostKey start_key = lane.key;
  for (int k = 0; k < options.steps; ++k) {
    const auto [step_key, restarts] = advance(lane, options);
    began[k] = restarts;
    const HostKey restart_key = lane.key;
    if (restarts) restart(theta_pointers, lane.key, lane, w);
    steps.push_back({lane, step_key, restart_key, 0});
    load_batch(lane, w);
    const InnerProblem& problem = *problems_[lane.task];
    w.key[0] = step_key.high;
    w.key[1] = step_key.low;
    w.iteration = static_cast<std::int32_t>(lane.iteration);
    w.inputs = theta_pointers;
    const std::vector<Array> state = lane.state.leaves();
    append(w.inputs, state);
    append(w.inputs, w.batch);
    w.inputs.push_back(w.key);
    w.inputs.push_back(&w.iteration);
    std::vector<Array> next = arrays_of(problem.state_types().leaves());
    w.outputs = writable(next);
    float loss = 0;
    w.outputs.push_back(&loss);
    problem.step().run(w.inputs, w.outputs, w.arena, w.parallel);
    const CountedLoss count = counted(loss, options.loss_clip);
    losses[k] = count.value;
    steps.back().slope = count.slope * weight;
    lane.state = problem.state_types().with_leaves<Array>(next);
    ++lane.position;
    if (!options.problem_length) ++lane.iteration;
  }

  // Backward: the cotangent of the state goes from step to step, that of θ is summed.
  std::vector<Array> d_state, d_theta = arrays_of(map([](const Array&a) { return a.type(); }, theta).leaves());
  bool have_d_state = false;
  auto start_gradient = [&](const InnerProblem& problem, HostKey key) {
    const Executable* program = problem.start_gradient();
    if (!program || !have_d_state) return;
    w.key[0] = key.high;
    w.key[1] = key.low;
    w.inputs = theta_pointers;
    w.inputs.push_back(w.key);
    append(w.inputs, d_state);
    program->run(w.inputs, writable(d_theta), w.arena);
    add_to(gradient, d_theta);
  };
  for (int k = options.steps - 1; k >= 0; --k) {
    const Before& before = steps[static_cast<std::size_t>(k)];
    const InnerProblem& problem = *problems_[before.lane.task];
    const bool begins = began[k] || (k == 0 && from_start);
    const bool to_state = begins ? problem.start_gradient() != nullptr : k > 0;
    load_batch(before.lane, w);
    w.key[0] = before.step_key.high;
    w.key[1] = before.step_key.low;
    w.iteration = static_cast<std::int32_t>(before.lane.iteration);
    w.inputs = theta_pointers;
    const std::vector<Array> state = before.lane.state.leaves();
    append(w.inputs, state);
    append(w.inputs, w.batch);
    w.inputs.push_back(w.key);
    w.inputs.push_back(&w.iteration);
    if (have_d_state) append(w.inputs, d_state);
    w.inputs.push_back(&before.slope);
    std::vector<Array> d_before;
    if (to_state)
      for (std::size_t i = 0; i < state.size(); ++i)
        if (problem.differentiable()[i]) d_before.emplace_back(state[i].type());
    w.outputs = writable(d_theta);
    for (void* output : writable(d_before)) w.outputs.push_back(output);
    problem.step_gradient({have_d_state, to_state}).run(w.inputs, w.outputs, w.arena, w.parallel);
    add_to(gradient, d_theta);
    d_state = std::move(d_before);
    have_d_state = to_state;
    if (begins) {
      start_gradient(problem, began[k] ? before.restart_key : start_key);
      have_d_state = false;
    }
  }
}

Unrolled LaneUnroller::unroll_with_gradient(std::vector<Lane> lanes, const Values& theta, const UnrollOptions& options,
                                            bool from_start, Values& gradient) const {
  Unrolled result{std::move(lanes), {}, {}};
  const auto steps = static_cast<std::size_t>(options.steps);
  result.losses.resize(result.lanes.size() * steps);
  result.began.resize(result.losses.size());
  const float weight = 1.0F / static_cast<float>(result.losses.size());
  std::vector<HostKey> start_keys;
  const std::vector<Type> types = types_of(theta).leaves();
  std::vector<std::vector<Array>> gradients(result.lanes.size());
  for_lanes(result.lanes.size(), [&](std::size_t i) {
    gradients[i] = arrays_of(types);
    run_lane_gradient(result.lanes[i], theta, options, from_start, weight, &result.losses[i * steps],
                      &result.began[i * steps], gradients[i], worker(result.lanes.size()));
  });
  std::vector<Array> sums = gradient.leaves();
  gradient = Values();
  for (const std::vector<Array>& lane_gradient : gradients) add_to(sums, lane_gradient);
  gradient = types_of(theta).with_leaves<Array>(sums);
  return result;
}

Values LaneUnroller::params(const Values& theta, const Lane& lane) const {
  std::vector<Array> inputs = theta.leaves();
  for (Array& leaf : lane.state.leaves()) inputs.push_back(std::move(leaf));
  const InnerProblem& problem = *problems_[lane.task];
  return problem.params_types().with_leaves<Array>(problem.params().run(inputs));
}

std::optional<float> LaneUnroller::evaluate(const Values& theta, const Lane& lane, Split split_of_data) const {
  const Batches& batches = batches_[lane.task];
  if (!batches.dataset) return std::nullopt;
  const InnerProblem& problem = *problems_[lane.task];
  const Values& examples = batches.dataset->examples(split_of_data);
  const std::int64_t count = examples.leaves().front().shape()[0];
  if (count < batches.size) return std::nullopt;
  std::vector<Array> inputs = theta.leaves();
  for (Array& leaf : lane.state.leaves()) inputs.push_back(std::move(leaf));
  const std::int64_t batch_count = count / batches.size;
  double total = 0;
  for (std::int64_t batch = 0; batch < batch_count; ++batch) {
    std::vector<Array> list = inputs;
    for (const Array& leaf : examples.leaves()) {
      Type type = leaf.type();
      type.shape[0] = batches.size;
      Array rows(type);
      std::memcpy(rows.mutable_data(),
                  static_cast<const std::byte*>(leaf.data()) + static_cast<std::size_t>(batch) * rows.size() * 4,
                  rows.size() * 4);
      list.push_back(std::move(rows));
    }
    list.push_back(to_array(fold_in(lane.key, static_cast<std::uint32_t>(batch))));
    total += static_cast<double>(problem.loss().run(list)[0].item<float>());
  }
  return static_cast<float>(total / static_cast<double>(batch_count));
}

}  // namespace lopt
