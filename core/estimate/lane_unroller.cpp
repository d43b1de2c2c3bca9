#include "estimate/lane_unroller.h"

#include "data/batch.h"
#include "estimate/collectives.h"
#include "estimate/handover.h"
#include "estimate/lane_gradient.h"
#include "estimate/lane_run.h"
#include "estimate/lane_tangent.h"
#include "estimate/allowance.h"

#include <fmt/format.h>
#include <tbb/blocked_range.h>
#include <tbb/parallel_for.h>
#include <tbb/task_group.h>

#include <cmath>
#include <deque>
#include <numeric>
#include <utility>

namespace lopt {

LaneUnroller::LaneUnroller(std::shared_ptr<const TaskFamily> family, const OptimizerSource& optimizer,
                           const Types& theta, HostKey data_key, int threads, std::int64_t num_steps,
                           const MetaObjective& objective, std::shared_ptr<PlanCache> plans)
    : stepper_(std::move(family), optimizer, theta, data_key, num_steps, objective, std::move(plans)),
      thread_count_(threads),
      threads_(threads),
      placement_(threads_, threads) {}

template <class Function>
void LaneUnroller::for_lanes(std::size_t count, Function f) const {
  auto run = [&](std::size_t lane, BlockTeam* team) {
    std::unique_ptr<LaneWorker>& worker = workers_.local();
    if (!worker) worker = std::make_unique<LaneWorker>();
    worker->team = team;
    f(lane, *worker);
  };
  if (stepper_.observer()) {
    for (std::size_t lane = 0; lane < count; ++lane) run(lane, nullptr);
    return;
  }
  const auto threads = static_cast<std::size_t>(thread_count_);
  if (count > 0 && count < threads) return run_with_teams(count, run);
  // One lane at a time: lanes are long, and threads should end together.
  const AwaitedWork awaited;
  threads_.execute([&] {
    tbb::parallel_for(
        tbb::blocked_range<std::size_t>(0, count, 1),
        [&](const auto& range) {
          const TakenWork taken;
          run(range.begin(), nullptr);
        },
        tbb::simple_partitioner());
  });
}

template <class Run>
void LaneUnroller::run_with_teams(std::size_t count, Run run) const {
  const auto threads = static_cast<std::size_t>(thread_count_);
  std::deque<BlockTeam> teams;  // they stay where they are made
  for (std::size_t lane = 0; lane < count; ++lane) teams.emplace_back((threads - lane + count - 1) / count);
  auto run_lane_of = [&](std::size_t lane) {
    try {
      run(lane, &teams[lane]);
    } catch (...) {
      teams[lane].close();
      throw;
    }
    teams[lane].close();
  };
  threads_.execute([&] {
    const AwaitedWork awaited;  // until the group is
    tbb::task_group group;
    for (std::size_t lane = 1; lane < count; ++lane) group.run(HandedOver([&, lane] { run_lane_of(lane); }));
    for (std::size_t helper = count; helper < threads; ++helper)
      group.run(HandedOver([&, helper] { teams[helper % count].help(); }));
    try {
      run_lane_of(0);
    } catch (...) {
      group.wait();
      throw;
    }
    group.wait();
  });
}

std::vector<Lane> LaneUnroller::start(std::span<const LaneStart> starts) const {
  // Each lane keeps its state and makes the next beside it.
  require_memory(2 * stepper_.state_bytes() * starts.size(), fmt::format("{} inner problems at once", starts.size()));
  std::vector<Lane> lanes(starts.size());
  for_lanes(lanes.size(), [&](std::size_t i, LaneWorker& worker) {
    lanes[i].stream = starts[i].stream;
    lanes[i].position = starts[i].position;
    lanes[i].key = starts[i].key;
    const std::vector<Array> theta = starts[i].theta.leaves();
    stepper_.restart(pointers_of(theta), starts[i].key, lanes[i], worker);
  });
  return lanes;
}

namespace {
/// A result with room for all losses.
Unrolled make_result(std::vector<Lane> lanes, int steps) {
  Unrolled result{std::move(lanes), {}, {}};
  result.losses.resize(result.lanes.size() * static_cast<std::size_t>(steps));
  result.began.resize(result.losses.size());
  return result;
}
}  // namespace

std::size_t LaneUnroller::lanes_together(std::span<const Lane> lanes) const {
  if (lanes.empty() || stepper_.observer()) return 1;
  std::size_t together = most_lanes_together;
  for (const Lane& lane : lanes) together = std::min(together, stepper_.problem(lane.task).step().lanes_together());
  // Each thread has a part of them.
  return std::clamp<std::size_t>(lanes.size() / static_cast<std::size_t>(thread_count_), 1, together);
}

Unrolled LaneUnroller::unroll(std::vector<Lane> lanes, std::span<const Values> thetas,
                              const UnrollOptions& options) const {
  Unrolled result = make_result(std::move(lanes), options.steps);
  const auto steps = static_cast<std::size_t>(options.steps);
  const std::size_t count = result.lanes.size(), together = lanes_together(result.lanes);
  for_lanes((count + together - 1) / together, [&](std::size_t group, LaneWorker& worker) {
    std::vector<LaneRun> runs;
    const std::size_t begin = group * together, end = std::min(begin + together, count);
    runs.reserve(end - begin);
    while (worker.others.size() + 1 < end - begin) worker.others.push_back(std::make_unique<LaneWorker>());
    for (std::size_t i = begin; i < end; ++i)
      runs.emplace_back(stepper_, result.lanes[i], thetas[i], options, result.losses.data() + i * steps,
                        result.began.data() + i * steps, i == begin ? worker : *worker.others[i - begin - 1]);
    run_lanes(runs, options.steps);
    for (const auto& other : worker.others) worker.diverged += std::exchange(other->diverged, 0);
  });
  return result;
}

Unrolled LaneUnroller::unroll_with_gradients(std::vector<Lane> lanes, std::span<const Values> thetas,
                                             const UnrollOptions& options, bool from_start, float weight,
                                             std::span<const HostKey> signs, GradientRows& rows) const {
  Unrolled result = make_result(std::move(lanes), options.steps);
  const auto steps = static_cast<std::size_t>(options.steps);
  const std::size_t count = result.lanes.size();
  rows.of_losses.resize(count);
  rows.of_states.resize(signs.empty() ? 0 : count);
  rows.sign_norms.resize(rows.of_states.size());
  for_lanes(count, [&](std::size_t i, LaneWorker& worker) {
    const Types types = types_of(thetas[i]);
    rows.of_losses[i] = arrays_of(types.leaves());
    LaneGradient gradient(stepper_, thetas[i], options, worker);
    float* losses = result.losses.data() + i * steps;
    std::uint8_t* began = result.began.data() + i * steps;
    if (signs.empty()) return gradient.run(result.lanes[i], from_start, weight, losses, began, rows.of_losses[i]);
    rows.of_states[i] = arrays_of(types.leaves());
    LaneGradient::OfState of_state{signs[i], rows.of_states[i]};
    gradient.run(result.lanes[i], from_start, weight, losses, began, rows.of_losses[i], &of_state);
    rows.sign_norms[i] = of_state.norm;
  });
  return result;
}

Unrolled LaneUnroller::unroll_with_gradient(std::vector<Lane> lanes, const Values& theta, const UnrollOptions& options,
                                            bool from_start, Values& gradient) const {
  const float weight = 1.0F / static_cast<float>(lanes.size() * static_cast<std::size_t>(options.steps));
  GradientRows rows;
  const std::vector<Values> thetas(lanes.size(), theta);
  Unrolled result = unroll_with_gradients(std::move(lanes), thetas, options, from_start, weight, {}, rows);
  clip_lanes(rows.of_losses, rows.of_losses.size(), options.most_lane_norm);
  if (!rows.of_losses.empty())
    add_scaled(gradient, 1, gradient.with_leaves<Array>(sum_by_halves(std::span(rows.of_losses), add_leaves)));
  return result;
}

Unrolled LaneUnroller::unroll_with_lane_gradients(std::vector<Lane> lanes, std::span<const Values> thetas,
                                                  const UnrollOptions& options, bool from_start,
                                                  std::span<const HostKey> signs, LaneGradients& gradients) const {
  GradientRows rows;
  Unrolled result = unroll_with_gradients(std::move(lanes), thetas, options, from_start,
                                          1.0F / static_cast<float>(std::max(1, options.steps)), signs, rows);
  gradients = {};
  for (std::size_t i = 0; i < rows.of_losses.size(); ++i)
    gradients.of_losses.push_back(thetas[i].with_leaves<Array>(rows.of_losses[i]));
  for (std::size_t i = 0; i < rows.of_states.size(); ++i)
    gradients.of_states.push_back(thetas[i].with_leaves<Array>(rows.of_states[i]));
  gradients.sign_norms = std::move(rows.sign_norms);
  return result;
}

void LaneUnroller::require_memory_for(std::size_t directions, std::size_t lanes) const {
  require_memory(2 * stepper_.state_bytes() * (directions + 1) * lanes,
                 fmt::format("forward mode along {} directions in each of {} inner problems", directions, lanes));
}

Unrolled LaneUnroller::unroll_with_tangents(std::vector<Lane> lanes, const Values& theta, const UnrollOptions& options,
                                            const TangentOptions& tangents, Slopes& slopes) const {
  Unrolled result = make_result(std::move(lanes), options.steps);
  const auto steps = static_cast<std::size_t>(options.steps);
  slopes = {};
  if (result.lanes.empty()) return result;
  const std::size_t count = direction_count(theta, tangents);
  require_memory_for(count, result.lanes.size());
  slopes.losses.resize(result.lanes.size() * steps * count);
  slopes.norms.resize(result.lanes.size() * count);
  for_lanes(result.lanes.size(), [&](std::size_t i, LaneWorker& worker) {
    LaneTangent(stepper_, theta, options, tangents, tangents.every_weight ? nullptr : &tangents.directions[i], worker)
        .run(result.lanes[i], result.losses.data() + i * steps, result.began.data() + i * steps,
             slopes.losses.data() + i * steps * count, &slopes.norms[i * count]);
  });
  return result;
}

void clip_lanes(std::vector<std::vector<Array>>& gradients, std::size_t count, float most_norm) {
  if (most_norm <= 0) return;
  const auto lanes = static_cast<double>(count);
  for (std::vector<Array>& gradient : gradients) {
    double sum = 0;
    for (const Array& leaf : gradient)
      for (const float x : leaf.values<float>()) sum += static_cast<double>(x) * static_cast<double>(x);
    const double norm = lanes * std::sqrt(sum);
    if (norm <= static_cast<double>(most_norm)) continue;
    const bool is_finite = std::isfinite(norm);
    const auto factor = static_cast<float>(static_cast<double>(most_norm) / norm);
    for (Array& leaf : gradient)
      for (float& x : leaf.mutable_values<float>()) x = is_finite ? x * factor : 0;
  }
}

void add_leaves(std::vector<Array>& left, const std::vector<Array>& right) {
  for (std::size_t leaf = 0; leaf < left.size(); ++leaf) {
    const auto to = left[leaf].mutable_values<float>();
    const auto from = right[leaf].values<float>();
    for (std::size_t i = 0; i < to.size(); ++i) to[i] += from[i];
  }
}

void LaneUnroller::require_state(const Lane& lane) const {
  if (lane.task >= stepper_.task_count())
    throw DataError(fmt::format("a lane has task {}, which does not exist", lane.task));
  const Types& types = stepper_.problem(lane.task).state_types();
  if (types_of(lane.state).paths() != types.paths() || types_of(lane.state).leaves() != types.leaves())
    throw DataError("a lane's state has other names or shapes than this spec's");
  for (const Values& tangent : lane.tangents)
    if (types_of(tangent).paths() != types.paths() || types_of(tangent).leaves() != types.leaves())
      throw DataError("a lane's tangent has other names or shapes than its state");
}

std::int64_t LaneUnroller::take_diverged() const {
  std::int64_t count = 0;
  for (std::unique_ptr<LaneWorker>& worker : workers_)
    if (worker) count += std::exchange(worker->diverged, 0);
  return count;
}

Values LaneUnroller::params(const Values& theta, const Lane& lane) const {
  std::vector<Array> inputs = theta.leaves();
  for (Array& leaf : lane.state.leaves()) inputs.push_back(std::move(leaf));
  const InnerProblem& problem = stepper_.problem(lane.task);
  return problem.params_types().with_leaves<Array>(problem.params().run(inputs));
}

std::optional<Evaluation> LaneUnroller::evaluate(const Values& theta, const Lane& lane, Split split_of_data) const {
  const Batches& batches = stepper_.batches(lane.task);
  if (!batches.dataset) return std::nullopt;
  const InnerProblem& problem = stepper_.problem(lane.task);
  const std::int64_t count = batches.dataset->count(split_of_data);
  if (count == 0) return std::nullopt;
  std::vector<Array> inputs = theta.leaves();
  for (Array& leaf : lane.state.leaves()) inputs.push_back(std::move(leaf));
  const Types example = batches.dataset->example_types();
  Evaluation result;
  std::uint32_t batch = 0;
  for (std::int64_t first = 0; first < count; ++batch) {
    // The last batch is what is left.
    const std::int64_t size = std::min<std::int64_t>(batches.size, count - first);
    std::vector<std::int32_t> indices(static_cast<std::size_t>(size));
    std::iota(indices.begin(), indices.end(), static_cast<std::int32_t>(first));
    std::vector<Array> rows = batch_arrays(example, size), list = inputs;
    batches.dataset->rows(split_of_data, indices, rows);
    for (Array& leaf : rows) list.push_back(std::move(leaf));
    list.push_back(to_array(fold_in(lane.key, batch)));
    const std::vector<Array> values = problem.loss(size).run(list);
    const double weight = static_cast<double>(size) / static_cast<double>(count);
    result.loss += weight * static_cast<double>(values[0].item<float>());
    if (batch == 0)
      for (const std::string& name : problem.metric_names()) result.metrics.emplace_back(name, 0);
    for (std::size_t i = 0; i < result.metrics.size(); ++i)
      result.metrics[i].second += weight * static_cast<double>(values[i + 1].item<float>());
    first += size;
  }
  return result;
}

}  // namespace lopt
