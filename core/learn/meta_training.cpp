#include "learn/meta_training.h"

#include "estimate/fault.h"
#include "estimate/lane_rows.h"
#include "learn/baseline.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>

namespace lopt {
namespace {

constexpr std::size_t recent_steps = 20;
/// A step that may take longer is made on a copy, so that it can be abandoned: a signal is heard within 2 s.
constexpr double long_step_seconds = 0.5;
float mean_of(const std::deque<float>& values) {
  return static_cast<float>(std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size()));
}

}  // namespace

MetaTraining::MetaTraining(const Experiment& experiment, int threads, Communicator* ranks)
    : experiment_(experiment), stage_(&experiment), threads_(threads), ranks_(ranks) {
  now_.key = HostKey::from_seed(experiment.seed);
  begin_stage(0, experiment.theta_file.empty() ? initial_theta(*experiment.learned_optimizer, experiment.seed)
                                               : read_theta(*experiment.learned_optimizer, experiment.theta_file));
}

void MetaTraining::begin_stage(std::size_t index, Values whole) {
  stage_ = experiment_.stages.empty() ? &experiment_ : experiment_.stages.at(index).get();
  now_.stage = index;
  now_.stage_begin = now_.step;
  all_theta_ = FrozenTheta(std::move(whole), stage_->freeze);
  now_.theta = all_theta_.trained();
  MetaObjective objective = stage_->objective;
  baseline_ = stage_->relative_to ? std::make_shared<BaselineLosses>(objective.relative_by_step) : nullptr;
  objective.baseline = baseline_;
  const OptimizerSource source = [frozen = all_theta_, rule = source_of(stage_->learned_optimizer)](const Tree& theta) {
    return rule(frozen.whole(theta));
  };
  // Each stage sees batches in an order of its own.
  const HostKey batches = data_key(experiment_.seed);
  layout_ = {stage_->shards, ranks_ ? ranks_->size() : 1};
  collector_.reset();
  if (is_asynchronous()) {
    --layout_.ranks;
    if (layout_.ranks > layout_.shards)
      throw RankError(
          fmt::format("{} ranks that do not wait for each other need as many shards, and there are {} "
                      "(`shards`); rank 0 takes in what they find",
                      layout_.ranks, layout_.shards));
    fault_found_ = true;  // to look for one all ranks would have to do the same
    if (!is_worker()) collector_ = std::make_unique<GradientCollector>(*ranks_, layout_.shards, stage_->staleness);
  }
  first_shard_ = own_range().first;
  unroller_.reset();
  shared_lanes_.reset();
  shard_ranks_.reset();
  lanes_ = std::make_unique<LaneUnroller>(stage_->family, source, types_of(now_.theta),
                                          index == 0 ? batches : fold_in(batches, static_cast<std::uint32_t>(index)),
                                          threads_, stage_->estimator->problem_steps(), objective);
  if (const int together = collector_ ? 1 : layout_.ranks_of(first_shard_); together > 1) {
    shard_ranks_ = std::make_unique<RankGroup>(*ranks_, layout_.leader_of(first_shard_), together);
    shared_lanes_ = std::make_unique<RankUnroller>(*lanes_, *shard_ranks_);
  }
  unroller_ = std::make_unique<MemberLosses>(shared_lanes_ ? static_cast<const Unroller&>(*shared_lanes_) : *lanes_);
  now_.shards = begun_shards(now_.key);
  now_.recent.clear();
  best_ = {};
  best_validated_ = {};
  validation_baseline_.clear();
  update_ = std::make_unique<MetaUpdate>(*stage_, now_.theta, now_.key);
  now_.optimizer = update_->start();
  if (has_average()) now_.average = now_.theta;
}

void MetaTraining::inherit(const Inheritance& from, HostKey key) {
  now_.step = from.step;
  now_.key = key;
  now_.theta = from.theta;
  if (update_->fits(from.optimizer)) now_.optimizer = from.optimizer;
  if (has_average()) now_.average = from.average.leaf_count() > 0 ? from.average : from.theta;
  now_.shards = begun_shards(now_.key);
  now_.recent.clear();
}

std::pair<int, int> MetaTraining::own_range() const {
  if (collector_) return {0, 0};
  const int rank = ranks_ ? ranks_->rank() - (is_asynchronous() ? 1 : 0) : 0;
  return {layout_.first_of(rank), layout_.last_of(rank)};
}

void MetaTraining::work() {
  find_baseline();
  const std::pair<int, int> range = own_range();
  const int first = range.first;  // which lambdas may keep
  const ShardWorker worker{[&](int shard, const Values& theta, std::int64_t number) {
                             const HostKey key = fold_in(now_.key, static_cast<std::uint32_t>(number));
                             return estimate_of(shard, theta, key,
                                                now_.shards[static_cast<std::size_t>(shard - first)]);
                           },
                           [&](int shard) { return encoded(now_.shards[static_cast<std::size_t>(shard - first)]); }};
  lopt::work(*ranks_, first, range.second, now_.theta, now_.step, worker);
}

void MetaTraining::end_work() {
  if (collector_) collector_->stop(now_.theta, now_.step);
}

std::vector<EstimatorState> MetaTraining::begun_shards(HostKey key) const {
  std::vector<EstimatorState> result;
  const auto [first, last] = own_range();
  for (int shard = first; shard < last; ++shard)
    result.push_back(
        stage_->estimator->init(now_.theta, shard_key(key, shard, layout_.shards), ShardUnroller(*unroller_, shard)));
  return result;
}

ShardSum MetaTraining::estimate_of(int shard, const Values& theta, HostKey key, EstimatorState& state) const {
  Estimate estimate = stage_->estimator->estimate(theta, shard_key(key, shard, layout_.shards), state,
                                                  ShardUnroller(*unroller_, shard));
  ShardSum result;
  result.gradient = std::move(estimate.gradient);
  result.loss = static_cast<double>(estimate.loss);
  result.members = unroller_->take();
  result.lanes = static_cast<std::int64_t>(state.lanes.size());
  for (const Lane& lane : state.lanes) {
    result.age += lane.iteration;
    result.length += lane.length;
  }
  result.diverged = shared_lanes_ ? shared_lanes_->take_diverged() : lanes_->take_diverged();
  return result;
}

std::vector<ShardSum> MetaTraining::estimates(const Values& theta, HostKey key,
                                              std::vector<EstimatorState>& shards) const {
  std::vector<ShardSum> own;
  for (EstimatorState& state : shards)
    own.push_back(estimate_of(first_shard_ + static_cast<int>(own.size()), theta, key, state));
  return own;
}

void MetaTraining::find_baseline() {
  if (baseline_ && !baseline_->filled())
    baseline_->fill(baseline_losses(*stage_, experiment_.seed, threads_, interrupt_));
}

MetaStep MetaTraining::step() { return step(std::nullopt); }
MetaStep MetaTraining::replay(std::span<const std::byte> found) { return step(std::optional(found)); }

MetaStep MetaTraining::step(std::optional<std::span<const std::byte>> known) {
  using Clock = std::chrono::steady_clock;
  if (stage_steps_done() == stage_->steps && now_.stage + 1 < stage_count())
    begin_stage(now_.stage + 1, whole(has_average() ? now_.average : now_.theta));
  find_baseline();
  const auto start = Clock::now();
  const bool may_be_long = interrupt_ && last_seconds_ > long_step_seconds;
  const TakenIn taken_before = collector_ ? collector_->taken_in() : TakenIn();
  const Now before = now_;  // its arrays are copied where they change
  const Best best_before = best_;
  lanes_->set_interrupt(may_be_long ? interrupt_ : std::function<bool()>());
  const std::vector<HostKey> keys = split(now_.key);
  now_.key = keys[1];
  try {
    found_ = find(keys[0], known);
    MetaStep result = told(taken_before);
    if (!fault_found_ && (result.diverged > 0 || !std::isfinite(result.loss) || !std::isfinite(result.gradient_norm))) {
      fault_found_ = true;
      result.fault = find_fault(before);
    }
    learn(result, keys[0]);
    ++now_.step;
    remember_best(result.loss);
    result.rolled_back = roll_back();
    validate(result);
    last_seconds_ = std::chrono::duration<double>(Clock::now() - start).count();
    return result;
  } catch (const Interrupted&) {
    now_ = before;
    best_ = best_before;
    throw;
  }
}

ShardSum MetaTraining::find(HostKey key, std::optional<std::span<const std::byte>> known) {
  std::vector<ShardSum> own = estimates(now_.theta, key, now_.shards);
  if (known) return decoded(*known, now_.theta);
  if (collector_) return collector_->collect(now_.theta, now_.step, interrupt_);
  return mean_of_shards(ranks_, layout_, std::move(own));
}

MetaStep MetaTraining::told(const TakenIn& taken_before) const {
  MetaStep result{.step = now_.step,
                  .loss = static_cast<float>(found_.loss),
                  .gradient_norm = norm_of(found_.gradient),
                  .diverged = found_.diverged,
                  .gradient = found_.gradient,
                  .theta = now_.theta};
  if (stage_->family->size() > 1)
    for (const auto& [member, losses] : found_.members)
      result.member_losses[member] = losses.total / static_cast<double>(losses.count);
  if (collector_) {
    const TakenIn& taken = collector_->taken_in();
    result.gradient_age = static_cast<double>(taken.age - taken_before.age) / layout_.shards;
    result.dropped = taken.dropped - taken_before.dropped;
  }
  if (found_.lanes > 0) {
    result.lane_age = static_cast<double>(found_.age) / static_cast<double>(found_.lanes);
    result.lane_length = static_cast<double>(found_.length) / static_cast<double>(found_.lanes);
  }
  return result;
}

void MetaTraining::learn(MetaStep& step, HostKey key) {
  Values treated = found_.gradient;
  step.skipped = !treat(stage_->gradient_rules, treated, step.gradient_norm, step.clipped);
  now_.skipped_in_a_row = step.skipped ? now_.skipped_in_a_row + 1 : 0;
  if (step.skipped) return;
  MetaUpdate::Next next = (*update_)(now_.optimizer, treated, step.loss, stage_steps_done(), key);
  now_.optimizer = std::move(next.optimizer);
  now_.theta = std::move(next.theta);
  if (has_average()) now_.average = std::move(next.average);
}

std::string MetaTraining::find_fault(const Now& before) const {
  FaultFinder finder;
  Now copy = before;
  lanes_->set_interrupt({});
  lanes_->set_observer(&finder);
  const ShardSum estimate = mean_of_shards(ranks_, layout_, estimates(copy.theta, split(copy.key)[0], copy.shards));
  lanes_->set_observer(nullptr);
  std::string found = finder.sentence();
  if (ranks_)
    for (const std::string& of_a_rank : texts_of_all(*ranks_, found))
      if (found.empty()) found = of_a_rank;
  if (!found.empty()) return found;
  if (!std::isfinite(norm_of(estimate.gradient)))
    return "every value of the inner problems is finite: what the estimator makes of them is not";
  return "";
}

std::string MetaTraining::explain() const { return find_fault(now_); }

void MetaTraining::remember_best(float loss) {
  now_.recent.push_back(loss);
  if (now_.recent.size() > recent_steps) now_.recent.pop_front();
  const float mean = mean_of(now_.recent);
  if (now_.recent.size() < recent_steps || !(best_.step == 0 ? std::isfinite(mean) : mean < best_.loss)) return;
  best_.step = now_.step;
  best_.loss = mean;
  best_.theta = now_.theta;
  if (stage_->gradient_rules.roll_back_above > 0) {
    best_.optimizer = now_.optimizer;
    best_.shards = now_.shards;
  }
}

void MetaTraining::validate(MetaStep& step) {
  if (!validates() || (stage_steps_done() % stage_->validation.every_steps != 0 && stage_steps_done() != stage_->steps))
    return;
  const Validation validation(*stage_, threads_);
  const auto measured = [&](const Values& theta) {
    const ValidationScore score = validation(whole(theta), validation_baseline_, interrupt_);
    const auto loss = static_cast<float>(score.score);
    if (best_validated_.step == 0 ? std::isfinite(loss) : loss < best_validated_.loss)
      best_validated_ = {now_.step, loss, theta};
    return score;
  };
  const BestValidated best_before = best_validated_;
  try {
    step.validation = measured(now_.theta);
    if (has_average()) step.average_validation = measured(now_.average);
  } catch (const Interrupted&) {
    best_validated_ = best_before;
    throw;
  }
}

bool MetaTraining::roll_back() {
  const float above = stage_->gradient_rules.roll_back_above;
  if (above <= 0 || best_.step == 0 || now_.recent.size() < recent_steps) return false;
  if (mean_of(now_.recent) <= above * std::abs(best_.loss)) return false;
  // The key goes on: the same perturbations would lead to the same place.
  now_.theta = best_.theta;
  now_.optimizer = best_.optimizer;
  now_.shards = best_.shards;
  now_.recent.clear();
  ++now_.roll_backs;
  return true;
}

}  // namespace lopt
