#include "learn/validation.h"

#include <algorithm>
#include <cmath>

namespace lopt {
namespace {

/// Problems start from seeds that no training takes, those that rates are tuned on from others.
constexpr std::uint64_t validation_seeds = std::uint64_t{1} << 58U, validation_tuning_seeds = std::uint64_t{1} << 59U;
constexpr double least_loss = 1e-30;

Values no_meta_parameters() { return Values(std::vector<Values::Entry>{}); }

}  // namespace

void run_to_end(InnerTraining& training, const std::function<bool()>& interrupt) {
  do {
    if (interrupt && interrupt()) throw Interrupted();
  } while (training.advance(100));
}

std::vector<double> Validation::losses_of(const OptimizerSource& optimizer, const Values& theta, bool counted,
                                          const std::function<bool()>& interrupt) const {
  const ValidationRules& rules = experiment_.validation;
  const std::uint64_t first = (counted ? validation_seeds : validation_tuning_seeds) + experiment_.seed * 100'000;
  std::vector<std::uint64_t> seeds;
  for (int i = 0; i < rules.seeds; ++i) seeds.push_back(first + static_cast<std::uint64_t>(i));
  std::vector<double> losses;
  for (const NamedFamily& problem : rules.problems) {
    InnerTraining training(problem.family, optimizer, std::vector<Values>(seeds.size(), theta), seeds, data_key(first),
                           threads_, rules.steps);
    run_to_end(training, interrupt);
    losses.push_back(training.mean_loss());
  }
  return losses;
}

ValidationScore Validation::operator()(const Values& theta, std::vector<double>& baseline,
                                       const std::function<bool()>& interrupt) const {
  const std::optional<Comparison>& against = experiment_.validation.against;
  if (against && baseline.empty()) {
    std::vector<double> found;
    if (against->candidates.empty()) {
      found = losses_of(source_of(against->optimizer), no_meta_parameters(), true, interrupt);
    } else {
      std::vector<BestRate> best(experiment_.validation.problems.size());
      std::vector<std::shared_ptr<const Optimizer>> chosen(best.size());
      for (const Comparison::Candidate& candidate : against->candidates) {
        const std::vector<double> tried =
            losses_of(source_of(candidate.optimizer), no_meta_parameters(), false, interrupt);
        for (std::size_t i = 0; i < tried.size(); ++i)
          if (best[i].add(candidate.rate, tried[i])) chosen[i] = candidate.optimizer;
      }
      for (std::size_t i = 0; i < chosen.size(); ++i)
        found.push_back(losses_of(source_of(chosen[i]), no_meta_parameters(), true, interrupt)[i]);
    }
    baseline = std::move(found);
  }
  ValidationScore result{0, losses_of(source_of(experiment_.learned_optimizer), theta, true, interrupt)};
  double sum = 0;
  for (std::size_t i = 0; i < result.losses.size(); ++i) {
    const double loss = result.losses[i], other = baseline.empty() ? 1 : std::max(baseline[i], least_loss);
    sum += std::isfinite(loss) ? std::log(std::max(loss, least_loss) / other) : std::numeric_limits<double>::infinity();
  }
  result.score = std::exp(sum / static_cast<double>(result.losses.size()));
  return result;
}

}  // namespace lopt
