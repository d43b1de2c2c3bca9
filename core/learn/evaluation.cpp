#include "learn/evaluation.h"

#include "learn/theta_file.h"

#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <numeric>

namespace lopt {
namespace {

constexpr double first_rate = 1e-4;
constexpr int half_decades = 9;
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

/// Problems of one task, each trained from a seed of its own. Null where it was interrupted.
std::unique_ptr<InnerTraining> trained(const Evaluated& e, const NamedFamily& problem,
                                       std::shared_ptr<const Optimizer> optimizer, std::int64_t steps,
                                       std::uint64_t first_seed, int threads,
                                       const std::function<bool()>& interrupted) {
  std::vector<std::uint64_t> seeds;
  for (std::int64_t i = 0; i < e.seeds; ++i)
    seeds.push_back(first_seed + e.seed * 100'000 + static_cast<std::uint64_t>(i));
  auto training =
      std::make_unique<InnerTraining>(problem.family, source_of(std::move(optimizer)),
                                      std::vector<Values>(seeds.size(), Values(std::vector<Values::Entry>{})), seeds,
                                      data_key(first_seed + e.seed), threads, static_cast<int>(steps));
  // A piece is a second or less of a usual task, so that an interruption is heard.
  while (!interrupted())
    if (!training->advance(100)) return training;
  return nullptr;
}

Score scored(const InnerTraining& training, double seconds, int threads) {
  Score score;
  const auto& runs = training.losses();
  const std::size_t steps = runs[0].size(), last = std::max<std::size_t>(1, steps / 10);
  score.curve = training.mean_curve();
  for (const std::vector<float>& losses : runs) {
    score.mean_loss.push_back(std::accumulate(losses.begin(), losses.end(), 0.0) / static_cast<double>(steps));
    score.final_loss.push_back(std::accumulate(losses.end() - static_cast<std::ptrdiff_t>(last), losses.end(), 0.0) /
                               static_cast<double>(last));
    score.diverged += has_diverged(losses);
  }
  const std::vector<Evaluation> tests = training.tests();
  for (const Evaluation& test : tests) score.test_loss.push_back(test.loss);
  if (!tests.empty()) score.test_metrics = mean_of(tests).metrics;
  const auto at_once = std::min<double>(threads, static_cast<double>(runs.size()));
  score.seconds_a_step = seconds * at_once / static_cast<double>(steps * runs.size());
  return score;
}

}  // namespace

std::vector<SpecKey> evaluation_keys() {
  Registry nothing;
  const SpecNode spec = SpecNode::mapping();
  return EvaluationLoader(spec, nothing).describe();
}

Evaluated load_evaluation(const SpecNode& spec, Registry& registry) { return EvaluationLoader(spec, registry).load(); }

std::optional<Score> score_of(const Evaluated& e, const NamedFamily& problem, const Evaluated::Contender& contender,
                              std::int64_t steps, int threads, const std::function<bool()>& interrupted) {
  std::shared_ptr<const Optimizer> optimizer = contender.optimizer;
  BestRate best;
  if (contender.tuned) {
    const auto try_rate = [&](double rate) {
      const auto training =
          trained(e, problem, contender.tuned->with_rate(rate), steps, tuning_seeds, threads, interrupted);
      if (!training) return false;
      best.add(rate, training->mean_loss());
      return true;
    };
    for (int i = 0; i < half_decades; ++i)
      if (!try_rate(first_rate * std::pow(10, 0.5 * i))) return std::nullopt;
    // Two between the best and each neighbour: a twelfth of a decade and a half apart.
    const double middle = best.rate;
    for (const double exponent : {-1.0 / 3, -1.0 / 6, 1.0 / 6, 1.0 / 3})
      if (!try_rate(middle * std::pow(10, exponent))) return std::nullopt;
    optimizer = contender.tuned->with_rate(best.rate);
  }
  const auto begin = std::chrono::steady_clock::now();
  const auto training = trained(e, problem, optimizer, steps, counted_seeds, threads, interrupted);
  if (!training) return std::nullopt;
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  Score score = scored(*training, seconds, threads);
  score.rate = best.rate;
  return score;
}

}  // namespace lopt
