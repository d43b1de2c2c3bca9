#include "learn/baseline.h"

#include "learn/rate_search.h"
#include "learn/training.h"

#include <algorithm>

namespace lopt {

std::vector<std::vector<float>> baseline_losses(const Experiment& stage, std::uint64_t seed, int threads,
                                                const std::function<bool()>& interrupt) {
  constexpr std::uint64_t first_seed = std::uint64_t{1} << 57U;
  constexpr int problems = 4;
  std::vector<std::uint64_t> seeds;
  for (std::uint64_t i = 0; i < problems; ++i) seeds.push_back(first_seed + seed * 100'000 + i);
  const Comparison& other = *stage.relative_to;
  auto steps = static_cast<int>(stage.estimator->problem_steps());
  if (stage.most_steps) steps = std::min(steps, *stage.most_steps);
  std::vector<std::vector<float>> losses;
  for (std::size_t member = 0; member < stage.family->size(); ++member) {
    const auto run = [&](const std::shared_ptr<const Optimizer>& optimizer) {
      InnerTraining training(family_of_member(stage.family, member), source_of(optimizer),
                             std::vector<Values>(seeds.size(), Values(std::vector<Values::Entry>{})), seeds,
                             data_key(first_seed + seed), threads, steps, data_of(stage.objective));
      run_to_end(training, interrupt);
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
  return losses;
}

}  // namespace lopt
