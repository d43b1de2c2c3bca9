#include "learn/validation.h"

#include "learn/rate_search.h"

#include <algorithm>
#include <cmath>

namespace lopt {
namespace {

/// Problems start from seeds that no training takes, those that rates are tuned on from others.
constexpr std::uint64_t validation_seeds = std::uint64_t{1} << 58U, validation_tuning_seeds = std::uint64_t{1} << 59U;
constexpr double least_loss = 1e-30;

Values no_meta_parameters() { return Values(std::vector<Values::Entry>{}); }

}  // namespace

double Validation::loss_of(const NamedFamily& problem, const OptimizerSource& optimizer, const Values& theta,
                           bool counted, const std::function<bool()>& interrupt) const {
  const ValidationRules& rules = experiment_.validation;
  const std::uint64_t first = (counted ? validation_seeds : validation_tuning_seeds) + experiment_.seed * 100'000;
  std::vector<std::uint64_t> seeds;
  for (int i = 0; i < rules.seeds; ++i) seeds.push_back(first + static_cast<std::uint64_t>(i));
  InnerTraining training(problem.family, optimizer, std::vector<Values>(seeds.size(), theta), seeds, data_key(first),
                         threads_, rules.steps);
  run_to_end(training, interrupt);
  return training.mean_loss();
}

double Validation::baseline_of(const NamedFamily& problem, const Comparison& against,
                               const std::function<bool()>& interrupt) const {
  const auto loss = [&](std::shared_ptr<const Optimizer> optimizer, bool counted) {
    return loss_of(problem, source_of(std::move(optimizer)), no_meta_parameters(), counted, interrupt);
  };
  if (!against.tuned) return loss(against.optimizer, true);
  RateSearch search(RateSearch::Precision::half_decades);
  while (const auto rate = search.next()) search.add(loss(against.tuned->with_rate(*rate), false));
  return loss(against.tuned->with_rate(search.best().rate), true);
}

ValidationScore Validation::operator()(const Values& theta, std::vector<double>& baseline,
                                       const std::function<bool()>& interrupt) const {
  const std::optional<Comparison>& against = experiment_.validation.against;
  const std::vector<NamedFamily>& problems = experiment_.validation.problems;
  if (against && baseline.empty()) {
    std::vector<double> found;
    for (const NamedFamily& problem : problems) found.push_back(baseline_of(problem, *against, interrupt));
    baseline = std::move(found);
  }
  ValidationScore result;
  for (const NamedFamily& problem : problems)
    result.losses.push_back(loss_of(problem, source_of(experiment_.learned_optimizer), theta, true, interrupt));
  double sum = 0;
  for (std::size_t i = 0; i < result.losses.size(); ++i) {
    const double loss = result.losses[i], other = baseline.empty() ? 1 : std::max(baseline[i], least_loss);
    sum += std::isfinite(loss) ? std::log(std::max(loss, least_loss) / other) : std::numeric_limits<double>::infinity();
  }
  result.score = std::exp(sum / static_cast<double>(result.losses.size()));
  return result;
}

}  // namespace lopt
