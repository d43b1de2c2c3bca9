#include "learn/meta_training.h"

#include "estimate/fault.h"
#include "estimate/lane_rows.h"
#include "learn/rate_search.h"

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
constexpr std::uint32_t meta = 0x6d657461;  // "meta"

float norm_of(const Values& tree) {
  double sum = 0;
  for (const Array& leaf : tree.leaves())
    for (float x : leaf.values<float>()) sum += static_cast<double>(x) * static_cast<double>(x);
  return static_cast<float>(std::sqrt(sum));
}

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
  trace_optimizer();
  if (has_average_) now_.average = now_.theta;
}

void MetaTraining::inherit(const Inheritance& from, HostKey key) {
  now_.step = from.step;
  now_.key = key;
  now_.theta = from.theta;
  const Types types = types_of(from.optimizer);
  if (types.paths() == optimizer_types_.paths() && types.leaves() == optimizer_types_.leaves())
    now_.optimizer = from.optimizer;
  if (has_average_) now_.average = from.average.leaf_count() > 0 ? from.average : from.theta;
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
  const auto [first, last] = own_range();
  const ShardWorker worker{[&](int shard, const Values& theta, std::int64_t number) {
                             const HostKey key = fold_in(now_.key, static_cast<std::uint32_t>(number));
                             return estimate_of(shard, theta, key,
                                                now_.shards[static_cast<std::size_t>(shard - first)]);
                           },
                           [&](int shard) { return encoded(now_.shards[static_cast<std::size_t>(shard - first)]); }};
  lopt::work(*ranks_, first, last, now_.theta, now_.step, worker);
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
  if (!baseline_ || baseline_->filled()) return;
  constexpr std::uint64_t first_seed = std::uint64_t{1} << 57U;
  constexpr int problems = 4;
  std::vector<std::uint64_t> seeds;
  for (std::uint64_t i = 0; i < problems; ++i) seeds.push_back(first_seed + experiment_.seed * 100'000 + i);
  const Comparison& other = *stage_->relative_to;
  auto steps = static_cast<int>(stage_->estimator->problem_steps());
  if (stage_->most_steps) steps = std::min(steps, *stage_->most_steps);
  std::vector<std::vector<float>> losses;
  for (std::size_t member = 0; member < stage_->family->size(); ++member) {
    const auto run = [&](const std::shared_ptr<const Optimizer>& optimizer) {
      InnerTraining training(family_of_member(stage_->family, member), source_of(optimizer),
                             std::vector<Values>(seeds.size(), Values(std::vector<Values::Entry>{})), seeds,
                             data_key(first_seed + experiment_.seed), threads_, steps, data_of(stage_->objective));
      run_to_end(training, interrupt_);
      return std::pair(training.mean_loss(), training.mean_curve());
    };
    if (!other.tuned) {
      losses.push_back(run(other.optimizer).second);
      continue;
    }
    RateSearch search(RateSearch::Precision::half_decades);
    losses.emplace_back();
    while (const auto rate = search.next()) {
      auto [mean, curve] = run(other.tuned->with_rate(*rate));
      search.add(mean);
      if (search.best().rate == *rate) losses.back() = std::move(curve);
    }
  }
  baseline_->fill(losses);
}

void MetaTraining::trace_optimizer() {
  const Optimizer& optimizer = *stage_->meta_optimizer;
  Key key{make_input("key", {DType::uint32, {2}})};
  const Tree theta = inputs_like("theta", types_of(now_.theta));
  const Tree start = optimizer.init(theta, {stage_->steps, key});
  optimizer_types_ = types_of(start);
  std::vector<Tensor> inputs = theta.leaves();
  inputs.push_back(key.bits);
  std::vector<Array> values = now_.theta.leaves();
  values.push_back(to_array(fold_in(now_.key, meta)));
  now_.optimizer = optimizer_types_.with_leaves<Array>(
      compile(make_program("meta-optimizer start", inputs, start.leaves())).run(values));

  const Tree state = inputs_like("state", optimizer_types_), gradient = inputs_like("gradient", types_of(now_.theta));
  const Tensor loss = make_input("loss", {DType::float32, {}}), iteration = make_input("iteration", {DType::int32, {}});
  const Tree next = optimizer.update(state, gradient, {loss, iteration, stage_->steps, key});
  inputs = state.leaves();
  for (const Tensor& leaf : gradient.leaves()) inputs.push_back(leaf);
  inputs.insert(inputs.end(), {loss, iteration, key.bits});
  std::vector<Tensor> outputs = next.leaves();
  const std::vector<Tensor> params = optimizer.params(next).leaves(),
                            average = optimizer.evaluation_params(next).leaves();
  outputs.insert(outputs.end(), params.begin(), params.end());
  has_average_ = !std::equal(params.begin(), params.end(), average.begin(), average.end(),
                             [](const Tensor& a, const Tensor& b) { return a.node() == b.node(); });
  if (has_average_) outputs.insert(outputs.end(), average.begin(), average.end());
  update_ = std::make_unique<Executable>(compile(make_program("meta-optimizer update", inputs, outputs)));
}

MetaStep MetaTraining::step() { return step(std::nullopt); }
MetaStep MetaTraining::replay(std::span<const std::byte> found) { return step(std::optional(found)); }

MetaStep MetaTraining::step(std::optional<std::span<const std::byte>> known) {
  using Clock = std::chrono::steady_clock;
  if (stage_steps_done() == stage_->steps && now_.stage + 1 < stage_count())
    begin_stage(now_.stage + 1, whole(has_average_ ? now_.average : now_.theta));
  find_baseline();
  const auto start = Clock::now();
  const bool may_be_long = interrupt_ && last_seconds_ > long_step_seconds;
  const TakenIn taken_before = collector_ ? collector_->taken_in() : TakenIn();
  const Now before = now_;  // its arrays are copied where they change
  lanes_->set_interrupt(may_be_long ? interrupt_ : std::function<bool()>());
  const std::vector<HostKey> keys = split(now_.key);
  now_.key = keys[1];
  try {
    std::vector<ShardSum> own = estimates(now_.theta, keys[0], now_.shards);
    found_ = known        ? decoded(*known, now_.theta)
             : collector_ ? collector_->collect(now_.theta, now_.step, interrupt_)
                          : mean_of_shards(ranks_, layout_, std::move(own));
  } catch (const Interrupted&) {
    now_ = before;
    throw;
  }
  const auto loss = static_cast<float>(found_.loss);
  MetaStep result{
      now_.step, loss, norm_of(found_.gradient), false,     false, false, found_.diverged, 0, 0, 0, 0, {}, {},
      {},        "",   found_.gradient,          now_.theta};
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
  if (!fault_found_ && (result.diverged > 0 || !std::isfinite(result.loss) || !std::isfinite(result.gradient_norm))) {
    fault_found_ = true;
    result.fault = find_fault(before);
  }
  Values treated = found_.gradient;
  result.skipped = !treat(treated, result.gradient_norm, result);
  now_.skipped_in_a_row = result.skipped ? now_.skipped_in_a_row + 1 : 0;
  if (!result.skipped) apply(treated, loss, keys[0]);
  ++now_.step;
  const Best best_before = best_;
  remember_best(loss);
  result.rolled_back = roll_back();
  try {
    validate(result);
  } catch (const Interrupted&) {
    now_ = before;
    best_ = best_before;
    throw;
  }
  last_seconds_ = std::chrono::duration<double>(Clock::now() - start).count();
  return result;
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

bool MetaTraining::treat(Values& gradient, float norm, MetaStep& step) const {
  const GradientRules& rules = stage_->gradient_rules;
  if (!std::isfinite(norm)) {
    if (!rules.clip_non_finite) return false;
    gradient = map_elements(gradient, [](float x) { return std::isfinite(x) ? x : 0; });
    norm = norm_of(gradient);
    step.clipped = true;
  }
  if (norm <= rules.clip_norm) return true;
  if (!std::isfinite(norm)) return false;  // finite elements whose norm is none
  const float scale = rules.clip_norm / norm;
  gradient = map_elements(gradient, [scale](float x) { return x * scale; });
  step.clipped = true;
  return true;
}

void MetaTraining::apply(const Values& gradient, float loss, HostKey key) {
  std::vector<Array> inputs = now_.optimizer.leaves();
  for (const Array& leaf : gradient.leaves()) inputs.push_back(leaf);
  inputs.push_back(Array::scalar(loss));
  inputs.push_back(Array::scalar(static_cast<std::int32_t>(stage_steps_done())));
  inputs.push_back(to_array(fold_in(key, meta)));
  const std::vector<Array> outputs = update_->run(inputs);
  const std::size_t count = optimizer_types_.leaf_count();
  now_.optimizer = optimizer_types_.with_leaves<Array>(std::span(outputs).first(count));
  const Types types = types_of(now_.theta);
  now_.theta = types.with_leaves<Array>(std::span(outputs).subspan(count, types.leaf_count()));
  if (has_average_) now_.average = types.with_leaves<Array>(std::span(outputs).last(types.leaf_count()));
}

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
    if (has_average_) step.average_validation = measured(now_.average);
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
