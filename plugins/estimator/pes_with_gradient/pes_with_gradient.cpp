#include "../antithetic.h"
#include "../truncation.h"

#include <lopt/plugin.h>

using namespace lopt;

/// Persistent evolution strategies whose segment's own gradient is the analytic one (Vicol et al., 2021, appendix):
/// what θ does to a segment's losses within the segment is found by backpropagation, what it did to them through
/// earlier ones by the perturbations A of those,
///   ε ~ N(0, σ²),  gradient = mean over tasks of ½ (∇L⁺ + ∇L⁻) + (L⁺ − L⁻) / (2σ²) · A,  A ← A + ε.
/// Of PES's terms the one with the segment's own ε is gone, and its noise: with it E ε L(θ + ε) / σ² = E ∇L(θ + ε).
/// Losses of a problem that began within the segment owe nothing to A.
class PesWithGradient final : public GradientEstimator {
 public:
  explicit PesWithGradient(Settings& s)
      : truncation_(s, 32, 30, "inner problems under way, each run with both signs (antithetic pairs)"),
        std_(perturbation_std(s)),
        recompute_states_(s.boolean("recompute_states", false)
                              .doc("keep every √n-th state and compute the others again: less memory, more time")),
        clip_(s) {}

  EstimatorState init(const Values& theta, HostKey key, const Unroller& unroller) const override {
    EstimatorState state = truncation_.start_pairs(theta, key, unroller);
    state.values.set("accumulator", stacked_zeros(theta, truncation_.tasks));
    return state;
  }

  Estimate estimate(const Values& theta, HostKey key, EstimatorState& state, const Unroller& unroller) const override {
    const std::vector<HostKey> keys = task_keys(key, truncation_.tasks);
    const std::size_t tasks = keys.size();
    const AntitheticPairs pairs = perturbed(theta, keys, std_);
    set_keys(state.lanes, keys);
    UnrollOptions options = truncation_.next_options(state);
    options.recompute_states = recompute_states_;
    LaneGradients own;
    Unrolled unrolled =
        unroller.unroll_with_lane_gradients(std::move(state.lanes), pairs.thetas, options, false, {}, own);
    const PairLosses losses{unrolled, tasks, static_cast<std::size_t>(truncation_.unroll_length)};
    MeanGradient gradient(theta, tasks, clip_);
    const float scale = 2 * std_ * std_ * static_cast<float>(truncation_.unroll_length);
    std::vector<Values> accumulators;
    for (std::size_t task = 0; task < tasks; ++task) {
      const Values before = row_of(state.values["accumulator"], task);
      double old_problem = 0;
      bool is_new = false;
      for (std::size_t step = 0; step < losses.steps; ++step) {
        is_new = is_new || losses.began(task, step);
        if (!is_new) old_problem += losses.difference(task, step);
      }
      gradient.add({{0.5F, own.of_losses[task]},
                    {0.5F, own.of_losses[tasks + task]},
                    {static_cast<float>(old_problem) / scale, before}});
      accumulators.push_back(pairs.noise[task]);
      if (!is_new) add_scaled(accumulators.back(), 1, before);
    }
    state.values.set("accumulator", stacked(accumulators));
    state.lanes = std::move(unrolled.lanes);
    return {losses.mean(), gradient.take()};
  }

  std::int64_t problem_steps() const override { return truncation_.problem_steps(); }

 private:
  TruncationSettings truncation_;
  float std_;
  bool recompute_states_;
  TaskClip clip_;
};

LOPT_PLUGIN(PesWithGradient, "pes_with_gradient",
            {.summary = "PES, with the analytic gradient of each segment in place of its own perturbation's",
             .paper = "Vicol, Metz and Sohl-Dickstein, Unbiased gradient estimation in unrolled computation graphs "
                      "with persistent evolution strategies, ICML 2021, appendix",
             .url = "https://arxiv.org/abs/2112.13835"})
