#include "../antithetic.h"
#include "../truncation.h"

#include <lopt/plugin.h>

using namespace lopt;

/// Evolution strategies on segments of longer problems (see Vicol et al., 2021, section 3): both signs start each
/// segment from one state, and the state of the positive sign goes on. ε ~ N(0, σ²), gradient = mean over tasks of
/// (L(θ+ε) − L(θ−ε)) / (2σ²) · ε, L the mean loss of the segment. Biased by the truncation.
class TruncatedEs final : public GradientEstimator {
 public:
  explicit TruncatedEs(Settings& s)
      : truncation_(s, 32, 30, "inner problems under way, each run with both signs"),
        std_(perturbation_std(s)),
        clip_(s),
        shared_noise_(
            s.boolean("shared_noise", false)
                .doc("all tasks of a meta-step have the same ε, so that what tasks differ in is not taken for "
                     "what ε did")),
        as_in_tutorial_(
            s.boolean("as_in_tutorial", false).doc("divide by 2σ as the JAX tutorial does, not by the unbiased 2σ²")) {}

  EstimatorState init(const Values& theta, HostKey key, const Unroller& unroller) const override {
    return truncation_.start(theta, key, unroller);
  }

  Estimate estimate(const Values& theta, HostKey key, EstimatorState& state, const Unroller& unroller) const override {
    const std::vector<HostKey> keys = task_keys(key, truncation_.tasks);
    const AntitheticPairs pairs = perturbed(theta, shared_noise_ ? std::vector<HostKey>(keys.size(), key) : keys, std_);
    std::vector<Lane> lanes = state.lanes;
    lanes.insert(lanes.end(), state.lanes.begin(), state.lanes.end());
    set_keys(lanes, keys);
    Unrolled unrolled = unroller.unroll(std::move(lanes), pairs.thetas, truncation_.next_options(state));
    const PairLosses losses{unrolled, keys.size(), static_cast<std::size_t>(truncation_.unroll_length)};
    MeanGradient gradient(theta, keys.size(), clip_);
    const float scale = as_in_tutorial_ ? 2 * std_ : 2 * std_ * std_;
    for (std::size_t task = 0; task < keys.size(); ++task)
      gradient.add({{losses.difference(task) / scale, pairs.noise[task]}});
    unrolled.lanes.resize(keys.size());
    state.lanes = std::move(unrolled.lanes);
    return {losses.mean(), gradient.take()};
  }

  std::string bias() const override { return "the dependence of a segment's first state on θ"; }
  std::int64_t problem_steps() const override { return truncation_.problem_steps(); }

 private:
  TruncationSettings truncation_;
  float std_;
  TaskClip clip_;
  bool shared_noise_, as_in_tutorial_;
};

LOPT_PLUGIN(TruncatedEs, "truncated_es",
            {.summary = "Evolution strategies on segments of longer problems",
             .paper = "Vicol, Metz and Sohl-Dickstein, Unbiased gradient estimation in unrolled computation graphs "
                      "with persistent evolution strategies, ICML 2021"})
