#include "learn/training.h"

#include "data/npz.h"
#include "estimate/lane_rows.h"
#include "learn/rate_search.h"

#include <fmt/format.h>

#include <bit>
#include <cmath>

namespace lopt {
namespace {

Program trace_theta(const LearnedOptimizer& learned, Types& types) {
  Key key{make_input("key", {DType::uint32, {2}})};
  const Tree theta = learned.init(key);
  types = types_of(theta);
  return make_program("theta", {key.bits}, theta.leaves());
}

const Values no_theta{std::vector<Values::Entry>{}};

}  // namespace

Values initial_theta(const LearnedOptimizer& learned, std::uint64_t seed) {
  Types types;
  const Executable program = compile(trace_theta(learned, types));
  const std::vector<Array> leaves = program.run(std::vector<Array>{to_array(HostKey::from_seed(seed))});
  return types.with_leaves<Array>(leaves);
}

Values read_theta(const LearnedOptimizer& learned, const std::string& path) {
  Types types;
  static_cast<void>(trace_theta(learned, types));
  const Values file = read_npz(path);
  std::vector<Array> leaves;
  const std::vector<std::string> names = types.paths();
  for (std::size_t i = 0; i < names.size(); ++i) {
    const Type type = types.leaves()[i];
    if (!file.contains(names[i]))
      throw DataError(fmt::format("{}: has no array '{}', which this learned optimizer's θ has", path, names[i]));
    const Array& array = file[names[i]].leaf();
    if (array.type() != type)
      throw DataError(fmt::format("{}: '{}' is {}; this learned optimizer's is {}", path, names[i],
                                  to_text(array.type()), to_text(type)));
    leaves.push_back(array);
  }
  return types.with_leaves<Array>(leaves);
}

OptimizerSource source_of(std::shared_ptr<const LearnedOptimizer> learned) {
  return [learned = std::move(learned)](const Tree& theta) -> std::shared_ptr<const Optimizer> {
    return learned->opt_fn(theta);
  };
}
OptimizerSource source_of(std::shared_ptr<const Optimizer> optimizer) {
  return [optimizer = std::move(optimizer)](const Tree&) { return optimizer; };
}

bool has_diverged(const std::vector<float>& losses) {
  return losses.empty() || !std::isfinite(losses.back()) || losses.back() > 2 * losses.front();
}
HostKey data_key(std::uint64_t seed) { return fold_in(HostKey::from_seed(seed), 0x64617461); }  // "data"

InnerTraining::InnerTraining(std::shared_ptr<const TaskFamily> family, const OptimizerSource& optimizer,
                             std::vector<Values> thetas, const std::vector<std::uint64_t>& seeds, HostKey data,
                             int threads, int steps, const MetaObjective& objective, std::shared_ptr<PlanCache> plans)
    : steps_(steps),
      thetas_(std::move(thetas)),
      unroller_(std::move(family), optimizer, types_of(thetas_.at(0)), data, threads, steps, objective,
                std::move(plans)),
      losses_(thetas_.size()) {
  std::vector<LaneStart> starts;
  for (std::size_t i = 0; i < thetas_.size(); ++i)
    starts.push_back({thetas_[i], HostKey::from_seed(seeds[i]), static_cast<std::uint32_t>(i)});
  lanes_ = unroller_.start(starts);
}

bool InnerTraining::advance(int most) {
  UnrollOptions options;
  options.steps = std::min(most, steps_ - steps_done());
  if (measure_.every_steps > 0)
    options.steps = std::min(options.steps, measure_.every_steps - steps_done() % measure_.every_steps);
  if (options.steps <= 0) return false;
  Unrolled unrolled = unroller_.unroll(std::move(lanes_), thetas_, options);
  lanes_ = std::move(unrolled.lanes);
  const auto steps = static_cast<std::size_t>(options.steps);
  for (std::size_t i = 0; i < losses_.size(); ++i)
    losses_[i].insert(losses_[i].end(), unrolled.losses.begin() + static_cast<std::ptrdiff_t>(i * steps),
                      unrolled.losses.begin() + static_cast<std::ptrdiff_t>((i + 1) * steps));
  if (measure_.every_steps > 0 && steps_done() % measure_.every_steps == 0) measure_now();
  return steps_done() < steps_;
}

void InnerTraining::measure_now() {
  for (std::size_t run = 0; run < lanes_.size(); ++run)
    if (std::optional<Evaluation> evaluation = unroller_.evaluate(thetas_[run], lanes_[run], measure_.split))
      measurements_.push_back({steps_done(), run, std::move(*evaluation)});
}

namespace {
// As bits, since JSON has no NaN.
std::uint64_t bits_of(double value) { return std::bit_cast<std::uint64_t>(value); }
double number_of(const Json& bits) { return std::bit_cast<double>(bits.get<std::uint64_t>()); }

Json json_of(const std::vector<InnerTraining::Measurement>& measurements) {
  Json list = Json::array();
  for (const auto& [steps, run, evaluation] : measurements) {
    Json metrics = Json::array();
    for (const auto& [name, value] : evaluation.metrics) metrics.push_back({name, bits_of(value)});
    list.push_back({{"steps", steps}, {"run", run}, {"loss", bits_of(evaluation.loss)}, {"metrics", metrics}});
  }
  return list;
}
std::vector<InnerTraining::Measurement> measurements_from(const Json& list) {
  std::vector<InnerTraining::Measurement> measurements;
  for (const Json& entry : list) {
    Evaluation evaluation{number_of(entry.at("loss")), {}};
    for (const Json& metric : entry.at("metrics"))
      evaluation.metrics.emplace_back(metric.at(0).get<std::string>(), number_of(metric.at(1)));
    measurements.push_back({entry.at("steps").get<int>(), entry.at("run").get<std::size_t>(), std::move(evaluation)});
  }
  return measurements;
}
}  // namespace

Checkpoint InnerTraining::checkpoint() const {
  std::vector<Values::Entry> losses;
  for (const std::vector<float>& run : losses_)
    losses.emplace_back(std::to_string(losses.size()), Array({static_cast<std::int64_t>(run.size())}, run));
  Checkpoint result;
  result.facts = {{"step", steps_done()}, {"lanes", rows_of(lanes_)}, {"measurements", json_of(measurements_)}};
  result.trees = {{"lanes", states_of(lanes_)}, {"losses", Values(std::move(losses))}};
  return result;
}

void InnerTraining::restore(const Checkpoint& checkpoint) {
  try {
    std::vector<Lane> lanes = lanes_from(checkpoint.facts.at("lanes"), checkpoint.tree("lanes"));
    const auto& losses = checkpoint.tree("losses").entries();
    if (lanes.size() != lanes_.size() || losses.size() != lanes_.size())
      throw DataError("the checkpoint has another number of runs than this spec");
    for (std::size_t run = 0; run < lanes.size(); ++run) {
      unroller_.require_state(lanes[run]);
      const Array past = losses[run].second.leaf();
      losses_[run].assign(past.values<float>().begin(), past.values<float>().end());
    }
    measurements_ = measurements_from(checkpoint.facts.at("measurements"));
    lanes_ = std::move(lanes);
  } catch (const Json::exception& error) {
    throw DataError(fmt::format("the checkpoint lacks something: {}", error.what()));
  } catch (const std::invalid_argument& error) {
    throw DataError(fmt::format("the checkpoint does not fit: {}", error.what()));
  }
}

Values InnerTraining::params(std::size_t run) const { return unroller_.params(thetas_[run], lanes_[run]); }
std::optional<Evaluation> InnerTraining::test(std::size_t run) const {
  return unroller_.evaluate(thetas_[run], lanes_[run], Split::test);
}

std::vector<Evaluation> InnerTraining::tests() const {
  std::vector<Evaluation> tests;
  for (std::size_t run = 0; run < lanes_.size(); ++run) {
    std::optional<Evaluation> one = test(run);
    if (!one) return {};
    tests.push_back(std::move(*one));
  }
  return tests;
}

std::vector<float> InnerTraining::mean_curve() const {
  std::vector<float> mean(static_cast<std::size_t>(steps_done()), 0.0F);
  for (const std::vector<float>& losses : losses_)
    for (std::size_t k = 0; k < losses.size(); ++k) mean[k] += losses[k] / static_cast<float>(losses_.size());
  return mean;
}

double InnerTraining::mean_loss() const {
  double sum = 0, count = 0;
  for (const std::vector<float>& run : losses_)
    for (float loss : run) {
      sum += static_cast<double>(loss);
      ++count;
    }
  return sum / count;
}

Evaluation mean_of(const std::vector<Evaluation>& evaluations) {
  Evaluation mean;
  const auto count = static_cast<double>(evaluations.size());
  for (const Evaluation& one : evaluations) {
    mean.loss += one.loss / count;
    mean.metrics.resize(one.metrics.size());
    for (std::size_t k = 0; k < one.metrics.size(); ++k) {
      mean.metrics[k].first = one.metrics[k].first;
      mean.metrics[k].second += one.metrics[k].second / count;
    }
  }
  return mean;
}

std::unique_ptr<InnerTraining> make_inner_training(const Experiment& e, int threads) {
  std::vector<Values> thetas;
  if (e.kind == Experiment::Kind::inner_training)
    thetas.push_back(no_theta);
  else if (!e.theta_file.empty())
    thetas.push_back(read_theta(*e.learned_optimizer, e.theta_file));
  else
    for (std::int64_t seed : e.theta_seeds)
      thetas.push_back(initial_theta(*e.learned_optimizer, static_cast<std::uint64_t>(seed)));
  const std::vector<std::uint64_t> seeds(thetas.size(), e.seed);
  OptimizerSource source = e.optimizer ? source_of(e.optimizer) : source_of(e.learned_optimizer);
  auto training = std::make_unique<InnerTraining>(e.family, std::move(source), std::move(thetas), seeds,
                                                  data_key(e.seed), threads, e.steps);
  training->measure(e.measure);
  return training;
}

namespace {
std::unique_ptr<InnerTraining> applied_runs(const Experiment& e, const OptimizerSource& source, const Values& theta,
                                            int threads, std::uint64_t first_seed = 0) {
  std::vector<std::uint64_t> seeds(e.application->seeds.begin(), e.application->seeds.end());
  for (std::uint64_t& seed : seeds) seed += first_seed;
  return std::make_unique<InnerTraining>(e.family, source, std::vector<Values>(seeds.size(), theta), seeds,
                                         data_key(e.seed), threads, e.application->steps,
                                         MetaObjective{.validation_share = e.objective.validation_share});
}

/// An optimizer that somebody else owns.
OptimizerSource source_of(const Optimizer& optimizer) {
  return source_of(std::shared_ptr<const Optimizer>(std::shared_ptr<const Optimizer>(), &optimizer));
}
}  // namespace

std::unique_ptr<InnerTraining> make_application(const Experiment& e, const Values& theta, int threads) {
  return applied_runs(e, source_of(e.learned_optimizer), theta, threads);
}
std::unique_ptr<InnerTraining> make_comparison(const Experiment& e, const Optimizer& optimizer, int threads) {
  return applied_runs(e, source_of(optimizer), no_theta, threads);
}

void run_to_end(InnerTraining& training, const std::function<bool()>& interrupt) {
  do {
    if (interrupt && interrupt()) throw Interrupted();
  } while (training.advance(100));
}

Comparison tuned(const Experiment& e, const Comparison& comparison, int threads,
                 const std::function<bool()>& interrupt) {
  constexpr std::uint64_t other_problems = std::uint64_t{1} << 40;
  RateSearch search(RateSearch::Precision::half_decades);
  while (const auto rate = search.next()) {
    const auto training =
        applied_runs(e, source_of(comparison.tuned->with_rate(*rate)), no_theta, threads, other_problems);
    run_to_end(*training, interrupt);
    search.add(training->mean_loss());
  }
  const double best = search.best().rate;
  return {fmt::format("{} {:.2g}, the best of {} rates", comparison.label, best, search.tried()),
          comparison.tuned->with_rate(best)};
}

}  // namespace lopt
