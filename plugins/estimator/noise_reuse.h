#pragma once
// Evolution strategies whose perturbation stays the same for a whole problem.

#include "antithetic.h"
#include "truncation.h"

#include <lopt/plugin.h>

namespace lopt {

/// Each task keeps two states, one for each sign, and the perturbation ε ~ N(0, σ²) that its problem began with:
///   gradient = mean over tasks of mean over steps of (L⁺ − L⁻) / (2σ²) · ε.
/// Perturbations of different segments do not add up, as those of PES do, so the variance does not grow with the
/// problem's length; but a direction is drawn once a problem, so neighbouring meta-steps follow the same ones.
/// Where a problem begins within a segment, the segment's rest has the ε of the one before; then its own is drawn, and
/// losses meet the sum A of both, as in PES: unbiased all the same.
class NoiseReuse : public GradientEstimator {
 public:
  NoiseReuse(Settings& s, const std::string& starts)
      : truncation_(s, 32, 30, "inner problems under way, each run with both signs (antithetic pairs)", starts),
        std_(perturbation_std(s)),
        clip_(s) {}

  EstimatorState init(const Values& theta, HostKey key, const Unroller& unroller) const override {
    EstimatorState state = truncation_.start_pairs(theta, key, unroller);
    state.values.set("noise", stacked_zeros(theta, truncation_.tasks));
    state.values.set("accumulator", stacked_zeros(theta, truncation_.tasks));
    const std::vector<std::int32_t> yes(static_cast<std::size_t>(truncation_.tasks), 1);
    state.values.set("draws", Array({truncation_.tasks}, yes));
    return state;
  }

  Estimate estimate(const Values& theta, HostKey key, EstimatorState& state, const Unroller& unroller) const override {
    const std::vector<HostKey> keys = task_keys(key, truncation_.tasks);
    const UnrollOptions options = truncation_.next_options(state);
    set_keys(state.lanes, keys);
    const std::vector<Values> fresh = perturbed(theta, keys, std_).noise;
    const Array draws_before = state.values["draws"].leaf();
    std::vector<Values> noise, sums;
    for (std::size_t task = 0; task < keys.size(); ++task) {
      const Lane& lane = state.lanes[task];
      const bool begins = options.problem_length &&
                          lane.iteration >= (lane.length > 0 ? lane.length : *options.problem_length),
                 draws = begins || draws_before.values<std::int32_t>()[task] != 0;
      noise.push_back(draws ? fresh[task] : row_of(state.values["noise"], task));
      sums.push_back(begins ? zeros_like(theta) : row_of(state.values["accumulator"], task));
      if (draws) add_scaled(sums.back(), 1, noise.back());
    }
    Unrolled unrolled = unroller.unroll(std::move(state.lanes), pairs_of(theta, noise).thetas, options);
    const PairLosses losses{unrolled, keys.size(), static_cast<std::size_t>(truncation_.unroll_length)};
    MeanGradient gradient(theta, keys.size(), clip_);
    const float scale = 2 * std_ * std_ * static_cast<float>(truncation_.unroll_length);
    std::vector<std::int32_t> draws_next;
    for (std::size_t task = 0; task < keys.size(); ++task) {
      double old_problem = 0, new_problem = 0;
      bool is_new = false;
      for (std::size_t step = 0; step < losses.steps; ++step) {
        is_new = is_new || (step > 0 && losses.began(task, step));
        (is_new ? new_problem : old_problem) += losses.difference(task, step);
      }
      gradient.add({{static_cast<float>(old_problem) / scale, sums[task]},
                    {static_cast<float>(new_problem) / scale, noise[task]}});
      if (is_new) sums[task] = noise[task];
      draws_next.push_back(is_new);
    }
    state.values.set("noise", stacked(noise));
    state.values.set("accumulator", stacked(sums));
    state.values.set("draws", Array({truncation_.tasks}, draws_next));
    state.lanes = std::move(unrolled.lanes);
    return {losses.mean(), gradient.take()};
  }

  std::int64_t problem_steps() const override { return truncation_.problem_steps(); }

 private:
  TruncationSettings truncation_;
  float std_;
  TaskClip clip_;
};

}  // namespace lopt
