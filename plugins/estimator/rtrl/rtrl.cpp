#include "../antithetic.h"
#include "../slopes.h"
#include "../truncation.h"

#include <lopt/plugin.h>

using namespace lopt;

/// Real-time recurrent learning (Williams and Zipser, A learning algorithm for continually running fully recurrent
/// neural networks, 1989): the Jacobian G = ds/dθ of each problem's state goes on with the state s,
///   G ← ∂F/∂s G + ∂F/∂θ,  gradient = mean over tasks of mean over steps of ∂L/∂s G + ∂L/∂θ,
/// a tangent for each weight, by forward mode. Exact at any length and without noise, on segments, without a step back;
/// but time and memory of a step grow with the weights, so it is for few.
class Rtrl final : public GradientEstimator {
 public:
  explicit Rtrl(Settings& s) : truncation_(s, 4, 100, "inner problems under way"), clip_(s) {}

  EstimatorState init(const Values& theta, HostKey key, const Unroller& unroller) const override {
    EstimatorState state = truncation_.start(theta, key, unroller);
    // No step: the tangents of the first states, where there is memory for them.
    UnrollOptions none;
    none.steps = 0;
    Slopes slopes;
    state.lanes = unroller
                      .unroll_with_tangents(std::move(state.lanes), theta, none,
                                            {.every_weight = true, .from_start = true}, slopes)
                      .lanes;
    return state;
  }

  Estimate estimate(const Values& theta, HostKey key, EstimatorState& state, const Unroller& unroller) const override {
    set_keys(state.lanes, task_keys(key, truncation_.tasks));
    Slopes slopes;
    Unrolled unrolled = unroller.unroll_with_tangents(std::move(state.lanes), theta, truncation_.next_options(state),
                                                      {.every_weight = true}, slopes);
    const auto tasks = static_cast<std::size_t>(truncation_.tasks),
               steps = static_cast<std::size_t>(truncation_.unroll_length),
               weights = slopes.losses.size() / (tasks * steps);
    MeanGradient gradient(theta, tasks, clip_);
    for (std::size_t task = 0; task < tasks; ++task) {
      const LaneSlopes of_lane{unrolled, slopes, task, steps, weights};
      std::size_t weight = 0;
      const Values own = map(
          [&](Array leaf) {
            for (float& x : leaf.mutable_values<float>()) {
              const LaneSlopes::Parts parts = of_lane.mean(weight++);
              x = parts.before + parts.after;
            }
            return leaf;
          },
          theta);
      gradient.add({{1, own}});
    }
    state.lanes = std::move(unrolled.lanes);
    return {mean_loss(unrolled), gradient.take()};
  }

  std::int64_t problem_steps() const override { return truncation_.problem_steps(); }

 private:
  TruncationSettings truncation_;
  TaskClip clip_;
};

LOPT_PLUGIN(Rtrl, "rtrl",
            {.summary = "Exact gradient forward: a tangent for each weight goes on with the state; for few weights",
             .paper = "Williams and Zipser, A learning algorithm for continually running fully recurrent neural "
                      "networks, Neural Computation 1989"})
