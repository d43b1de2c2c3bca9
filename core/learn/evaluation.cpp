#include "learn/evaluation.h"

#include "learn/rate_search.h"
#include "learn/theta_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <map>
#include <numeric>

namespace lopt {
namespace {

/// How often test data are looked at along a run.
constexpr std::int64_t looks = 20;
/// At which steps are timed.
constexpr double usual_rate = 0.01;
/// What a problem is started from is no seed of any training: those are below 2⁵³.
constexpr std::uint64_t tuning_seeds = std::uint64_t{1} << 60U, counted_seeds = std::uint64_t{1} << 61U;

class EvaluationLoader {
 public:
  EvaluationLoader(const SpecNode& spec, Registry& registry)
      : spec_(spec), registry_(registry), reader_(spec, "", errors_, registry.maker()), settings_(reader_) {}

  Evaluated load() {
    read();
    reader_.check_unknown();
    errors_.raise();
    result_.resolved = reader_.resolved();
    return std::move(result_);
  }

  std::vector<SpecKey> describe() {
    reader_.describe_only();
    read();
    reader_.take("extends", "texts", "specs that this one is laid over, relative to its file; null removes a key");
    std::vector<SpecKey> keys;
    for (const Declaration& declaration : reader_.declarations()) keys.push_back({"", declaration});
    return keys;
  }

 private:
  void read() {
    constexpr double most = 1 << 30;
    result_.name = settings_.text("name", "evaluation").doc("what the evaluation is called");
    result_.seed = static_cast<std::uint64_t>(
        std::int64_t{settings_.integer("seed", 0).between(0, 9007199254740992.0).doc("which problems are drawn")});
    result_.seeds = settings_.integer("seeds", 10).between(1, 10000).doc("problems for each task");
    result_.steps = settings_.integers("steps").between(1, most).doc("how long each is trained: a list, rising");
    for (std::size_t i = 1; i < result_.steps.size(); ++i)
      if (result_.steps[i] <= result_.steps[i - 1]) reader_.error(*spec_.find("steps"), "steps", "must rise");
    result_.problems = read_named_families(reader_, spec_, "", "tasks", registry_, errors_);
    read_named(reader_, spec_, "", "optimizers",
               [&](const std::string& label, const SpecNode& node, const std::string& path, Labels& labels) {
                 return add_contender(label, node, path, labels);
               });
    reader_.take("plugin_path", "texts", "folders or files with plugins, relative to the spec's file");
  }

  /// The least of the horizons of the learned rules in it; 0 where there is none.
  static std::int64_t horizon_of(const SpecNode& node) {
    std::int64_t least = 0;
    const auto take = [&](std::int64_t horizon) {
      if (horizon > 0) least = least > 0 ? std::min(least, horizon) : horizon;
    };
    if (const SpecNode* theta = node.find("theta"); theta && plugin_of(node) == "learned")
      take(horizon_in(theta->text));
    for (const auto& [key, inner] : node.entries) take(horizon_of(inner));
    return least;
  }

  SpecNode add_contender(const std::string& label, const SpecNode& node, const std::string& path, Labels& labels) {
    SpecNode resolved;
    if (const SpecNode* tuned = node.find("tuned"); tuned && node.entries.size() == 1) {
      const auto made = std::make_shared<const TunedOptimizer>(*tuned, path + ".tuned", registry_, errors_);
      resolved = SpecNode::mapping({{"tuned", made->resolved()}});
      result_.contenders.push_back({labels.unique(label.empty() ? "tuned " + made->label() : label), nullptr, made,
                                    to_line(resolved), horizon_of(resolved)});
      return resolved;
    }
    auto made = registry_.make(Optimizer::kind, node, path, errors_, resolved);
    std::string name = plugin_of(node);
    if (const SpecNode* rate = resolved.find("learning_rate"); rate && rate->kind == SpecNode::Kind::scalar)
      name += " " + rate->text;
    result_.contenders.push_back({labels.unique(label.empty() ? name : label),
                                  std::static_pointer_cast<const Optimizer>(made), nullptr, to_line(resolved),
                                  horizon_of(resolved)});
    return resolved;
  }

  const SpecNode& spec_;
  Registry& registry_;
  SpecErrors errors_;
  SpecReader reader_;
  Settings settings_;
  Evaluated result_;
};

/// Problems of one task, each from a seed of its own.
std::unique_ptr<InnerTraining> training_of(const Evaluated& e, const NamedFamily& problem,
                                           std::shared_ptr<const Optimizer> optimizer, std::int64_t steps,
                                           std::uint64_t first_seed, std::int64_t count, int threads,
                                           std::shared_ptr<PlanCache> plans = std::make_shared<PlanCache>()) {
  std::vector<std::uint64_t> seeds;
  for (std::int64_t i = 0; i < count; ++i)
    seeds.push_back(first_seed + e.seed * 100'000 + static_cast<std::uint64_t>(i));
  return std::make_unique<InnerTraining>(problem.family, source_of(std::move(optimizer)),
                                         std::vector<Values>(seeds.size(), Values(std::vector<Values::Entry>{})), seeds,
                                         data_key(first_seed + e.seed), threads, static_cast<int>(steps),
                                         MetaObjective(), std::move(plans));
}

/// Trained to the end, test data being looked at on the way. Null where it was interrupted.
std::unique_ptr<InnerTraining> trained(const Evaluated& e, const NamedFamily& problem,
                                       std::shared_ptr<const Optimizer> optimizer, std::int64_t steps,
                                       std::uint64_t first_seed, int threads, const std::shared_ptr<PlanCache>& plans,
                                       const std::function<bool()>& interrupted) {
  auto training = training_of(e, problem, std::move(optimizer), steps, first_seed, e.seeds, threads, plans);
  training->measure({.every_steps = static_cast<int>(std::max<std::int64_t>(1, steps / looks)), .split = Split::test});
  // A piece is a second or less of a usual task, so that an interruption is heard.
  while (!interrupted())
    if (!training->advance(100)) return training;
  return nullptr;
}

/// The lowest loss of test data along each run; none where there are no test data. Where it is never finite, infinity.
std::vector<double> lowest_test_losses(const InnerTraining& training) {
  std::vector<double> lowest;
  if (!training.measurements().empty())
    lowest.assign(training.losses().size(), std::numeric_limits<double>::infinity());
  for (const auto& [steps, run, evaluation] : training.measurements())
    if (evaluation.loss < lowest[run]) lowest[run] = evaluation.loss;
  return lowest;
}

void add_training(Score& score, const InnerTraining& training) {
  const auto& runs = training.losses();
  const std::size_t steps = runs[0].size(), last = std::max<std::size_t>(1, steps / 10);
  score.curve = training.mean_curve();
  for (const std::vector<float>& losses : runs) {
    score.mean_loss.push_back(std::accumulate(losses.begin(), losses.end(), 0.0) / static_cast<double>(steps));
    score.final_loss.push_back(std::accumulate(losses.end() - static_cast<std::ptrdiff_t>(last), losses.end(), 0.0) /
                               static_cast<double>(last));
    score.diverged += has_diverged(losses);
  }
}

void add_test(Score& score, const InnerTraining& training) {
  score.test_loss = lowest_test_losses(training);
  const auto runs = static_cast<double>(training.losses().size());
  for (const auto& [steps, run, evaluation] : training.measurements()) {
    if (score.test_curve.empty() || score.test_curve.back().first != steps) score.test_curve.emplace_back(steps, 0);
    score.test_curve.back().second += evaluation.loss / runs;
  }
  if (const std::vector<Evaluation> tests = training.tests(); !tests.empty())
    score.test_metrics = mean_of(tests).metrics;
}

/// The losses of one optimizer at its rates, each of which is tried once.
class TriedRates {
 public:
  struct Losses {
    double mean, test;  // of test data their sum; 0 where there are none
  };
  explicit TriedRates(std::function<std::optional<Losses>(double)> losses_at) : losses_at_(std::move(losses_at)) {}

  /// The search for the rate that does best by this loss. Null where a trial was interrupted.
  std::optional<RateSearch> best_by(double Losses::*loss) {
    RateSearch search(RateSearch::Precision::refined);
    while (const auto rate = search.next()) {
      auto known = known_.find(*rate);
      if (known == known_.end()) {
        const std::optional<Losses> losses = losses_at_(*rate);
        if (!losses) return std::nullopt;
        known = known_.emplace(*rate, *losses).first;
      }
      search.add(known->second.*loss);
    }
    return search;
  }

 private:
  std::function<std::optional<Losses>(double)> losses_at_;
  std::map<double, Losses> known_;
};

}  // namespace

std::vector<SpecKey> evaluation_keys() {
  Registry nothing;
  const SpecNode spec = SpecNode::mapping();
  return EvaluationLoader(spec, nothing).describe();
}

Evaluated load_evaluation(const SpecNode& spec, Registry& registry) { return EvaluationLoader(spec, registry).load(); }

std::optional<Score> score_of(const Evaluated& e, const NamedFamily& problem, const Evaluated::Contender& contender,
                              std::int64_t steps, int threads, const std::function<bool()>& interrupted) {
  const auto plans = std::make_shared<PlanCache>();  // of all rates
  const auto train = [&](std::shared_ptr<const Optimizer> optimizer, std::uint64_t seeds) {
    return trained(e, problem, std::move(optimizer), steps, seeds, threads, plans, interrupted);
  };
  Score score;
  if (!contender.tuned) {
    const auto training = train(contender.optimizer, counted_seeds);
    if (!training) return std::nullopt;
    add_training(score, *training);
    add_test(score, *training);
    return score;
  }
  TriedRates rates([&](double rate) -> std::optional<TriedRates::Losses> {
    const auto training = train(contender.tuned->with_rate(rate), tuning_seeds);
    if (!training) return std::nullopt;
    const std::vector<double> tests = lowest_test_losses(*training);
    return TriedRates::Losses{training->mean_loss(),
                              tests.empty() ? 0 : std::accumulate(tests.begin(), tests.end(), 0.0)};
  });
  const auto by_mean = rates.best_by(&TriedRates::Losses::mean);
  if (!by_mean) return std::nullopt;
  score.rate = by_mean->best().rate;
  auto training = train(contender.tuned->with_rate(score.rate), counted_seeds);
  if (!training) return std::nullopt;
  add_training(score, *training);
  score.is_beyond_usual_rates = by_mean->is_beyond();
  if (training->measurements().empty()) return score;
  const auto by_test = rates.best_by(&TriedRates::Losses::test);
  if (!by_test) return std::nullopt;
  score.test_rate = by_test->best().rate;
  if (score.test_rate != score.rate) training = train(contender.tuned->with_rate(score.test_rate), counted_seeds);
  if (!training) return std::nullopt;
  add_test(score, *training);
  score.is_beyond_usual_rates |= by_test->is_beyond();
  return score;
}

std::vector<double> seconds_a_step(const Evaluated& e, const NamedFamily& problem) {
  constexpr int rounds = 5;
  constexpr double seconds_a_turn = 0.01;
  constexpr std::int64_t most_steps = 1'000'000;
  std::vector<std::unique_ptr<InnerTraining>> trainings;
  for (const Evaluated::Contender& contender : e.contenders)
    trainings.push_back(training_of(e, problem,
                                    contender.tuned ? contender.tuned->with_rate(usual_rate) : contender.optimizer,
                                    most_steps, tuning_seeds, 1, 1));
  std::vector<double> least(trainings.size(), std::numeric_limits<double>::infinity());
  for (int round = 0; round <= rounds; ++round)
    for (std::size_t i = 0; i < trainings.size(); ++i) {
      // The first round is one step, which says how many make a turn.
      const int steps = round == 0 ? 1 : static_cast<int>(std::clamp(seconds_a_turn / least[i], 1.0, 1000.0));
      const auto begin = std::chrono::steady_clock::now();
      trainings[i]->advance(steps);
      const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
      least[i] = std::min(least[i], seconds / steps);
    }
  return least;
}

}  // namespace lopt
