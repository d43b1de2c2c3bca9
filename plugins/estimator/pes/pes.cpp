#include "../antithetic.h"
#include "../truncation.h"

#include <lopt/plugin.h>

using namespace lopt;

/// Persistent evolution strategies (Vicol, Metz and Sohl-Dickstein, 2021): truncated segments without truncation bias.
/// Each task keeps two states, one for each sign, and the sum A of all perturbations since its problem began:
///   ε ~ N(0, σ²),  A ← A + ε,  gradient = mean over tasks of mean over steps of (L⁺ − L⁻) / (2σ²) · A.
/// A loss is credited to the problem it belongs to: where a new one begins within the segment, its losses meet ε alone,
/// and A ← ε at the segment's end.
///
/// as_in_tutorial: the JAX tutorial divides by 2σ, and takes the steps t with t + i > problem_length (i: iteration at
/// the segment's start) for the new problem's, one later than the restart; it resets A where the last step is among
/// them.
class Pes final : public GradientEstimator {
 public:
  explicit Pes(Settings& s)
      : truncation_(s, 32, 30, "inner problems under way, each run with both signs (antithetic pairs)"),
        std_(perturbation_std(s)),
        clip_(s),
        as_in_tutorial_(s.boolean("as_in_tutorial", false)
                            .doc("divide by 2σ, and credit a new problem one step late, as the JAX tutorial does")) {}

  EstimatorState init(const Values& theta, HostKey key, const Unroller& unroller) const override {
    EstimatorState state = truncation_.start_pairs(theta, key, unroller);
    state.values.set("accumulator", stacked_zeros(theta, truncation_.tasks));
    return state;
  }

  Estimate estimate(const Values& theta, HostKey key, EstimatorState& state, const Unroller& unroller) const override {
    const std::vector<HostKey> keys = task_keys(key, truncation_.tasks);
    const AntitheticPairs pairs = perturbed(theta, keys, std_);
    set_keys(state.lanes, keys);
    std::vector<std::int64_t> steps_left;  // until the problem's end
    for (const Lane& lane : state.lanes)
      steps_left.push_back(lane.length > 0 ? lane.length - lane.iteration : std::numeric_limits<std::int64_t>::max());
    Unrolled unrolled = unroller.unroll(std::move(state.lanes), pairs.thetas, truncation_.next_options(state));
    const PairLosses losses{unrolled, keys.size(), static_cast<std::size_t>(truncation_.unroll_length)};

    MeanGradient gradient(theta, keys.size(), clip_);
    const float scale = (as_in_tutorial_ ? 2 * std_ : 2 * std_ * std_) * static_cast<float>(truncation_.unroll_length);
    std::vector<Values> accumulators;
    for (std::size_t task = 0; task < keys.size(); ++task) {
      Values sum = row_of(state.values["accumulator"], task);
      add_scaled(sum, 1, pairs.noise[task]);
      double old_problem = 0, new_problem = 0;
      bool is_new = false;
      for (std::size_t step = 0; step < losses.steps; ++step) {
        is_new =
            as_in_tutorial_ ? static_cast<std::int64_t>(step) > steps_left[task] : is_new || losses.began(task, step);
        (is_new ? new_problem : old_problem) += losses.difference(task, step);
      }
      gradient.add({{static_cast<float>(old_problem) / scale, sum},
                    {static_cast<float>(new_problem) / scale, pairs.noise[task]}});
      accumulators.push_back(is_new ? pairs.noise[task] : sum);
    }
    state.values.set("accumulator", stacked(accumulators));
    state.lanes = std::move(unrolled.lanes);
    return {losses.mean(), gradient.take()};
  }

  std::string bias() const override {
    return as_in_tutorial_ ? "a factor σ, and the new problem's first step after a restart" : "";
  }
  std::int64_t problem_steps() const override { return truncation_.problem_steps(); }

 private:
  TruncationSettings truncation_;
  float std_;
  TaskClip clip_;
  bool as_in_tutorial_;
};

LOPT_PLUGIN(Pes, "pes",
            {.summary = "Persistent evolution strategies: no truncation bias",
             .paper = "Vicol, Metz and Sohl-Dickstein, Unbiased gradient estimation in unrolled computation graphs "
                      "with persistent evolution strategies, ICML 2021"})
