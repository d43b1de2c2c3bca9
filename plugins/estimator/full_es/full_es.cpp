#include "../directions.h"
#include "../whole_problems.h"

#include <lopt/plugin.h>

using namespace lopt;

/// Antithetic evolution strategies on whole unrolls (Salimans et al., Evolution strategies as a scalable alternative to
/// reinforcement learning, 2017): ε ~ N(0, σ²), gradient = mean over directions of (L(θ+ε) − L(θ−ε)) / (2σ²) · ε,
/// where L is the mean training loss of the first `unroll_length` steps of a problem started afresh.
class FullEs final : public GradientEstimator {
 public:
  explicit FullEs(Settings& s) : problems_(s), std_(perturbation_std(s)), directions_(s), clip_(s) {}

  EstimatorState init(const Values&, HostKey, const Unroller&) const override {
    return {{}, {{"position", Array::scalar<std::int32_t>(0)}}};
  }

  Estimate estimate(const Values& theta, HostKey key, EstimatorState& state, const Unroller& unroller) const override {
    const std::int32_t position = state.values["position"].leaf().item<std::int32_t>();
    const std::vector<HostKey> keys = task_keys(key, problems_.tasks);
    const AntitheticPairs pairs = pairs_of(theta, directions_.draw(theta, keys, key, std_));
    const Unrolled unrolled = problems_.unroll(pairs, keys, position, unroller);
    const PairLosses losses{unrolled, keys.size(), static_cast<std::size_t>(problems_.unroll_length)};
    MeanGradient gradient(theta, keys.size(), clip_);
    for (std::size_t task = 0; task < keys.size(); ++task)
      gradient.add({{losses.difference(task) / (2 * std_ * std_), pairs.noise[task]}});
    state.values = {{"position", Array::scalar<std::int32_t>(position + problems_.unroll_length)}};
    return {losses.mean(), gradient.take()};
  }

  std::int64_t problem_steps() const override { return problems_.unroll_length; }

 private:
  WholeProblems problems_;
  float std_;
  Directions directions_;
  TaskClip clip_;
};

LOPT_PLUGIN(
    FullEs, "full_es",
    {.summary = "Antithetic evolution strategies on whole unrolls",
     .paper = "Salimans et al., Evolution strategies as a scalable alternative to reinforcement learning, 2017"})
