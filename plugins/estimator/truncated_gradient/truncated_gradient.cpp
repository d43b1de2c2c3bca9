#include "../slopes.h"
#include "../task_clip.h"
#include "../truncation.h"

#include <lopt/plugin.h>

using namespace lopt;

/// Truncated backpropagation (Werbos, Backpropagation through time, 1990): exact gradient within a segment of
/// `unroll_length` steps, as if the state at its start did not depend on θ. Cheap, and biased by just that.
class TruncatedGradient final : public GradientEstimator {
 public:
  explicit TruncatedGradient(Settings& s)
      : truncation_(s, 16, 100, "inner problems under way"),
        recompute_states_(s.boolean("recompute_states", false)
                              .doc("keep every √n-th state and compute the others again: less memory, more time")),
        clip_(s) {}

  EstimatorState init(const Values& theta, HostKey key, const Unroller& unroller) const override {
    return truncation_.start(theta, key, unroller);
  }

  Estimate estimate(const Values& theta, HostKey key, EstimatorState& state, const Unroller& unroller) const override {
    set_keys(state.lanes, task_keys(key, truncation_.tasks));
    Estimate result{0, zeros_like(theta)};
    UnrollOptions options = truncation_.next_options(state);
    options.recompute_states = recompute_states_;
    options.most_lane_norm = clip_.most_norm();
    Unrolled unrolled = unroller.unroll_with_gradient(std::move(state.lanes), theta, options, false, result.gradient);
    result.loss = mean_loss(unrolled);
    state.lanes = std::move(unrolled.lanes);
    return result;
  }

  std::string bias() const override { return "the dependence of a segment's first state on θ"; }
  std::int64_t problem_steps() const override { return truncation_.problem_steps(); }

 private:
  TruncationSettings truncation_;
  bool recompute_states_;
  TaskClip clip_;
};

LOPT_PLUGIN(TruncatedGradient, "truncated_gradient",
            {.summary = "Exact gradient within segments of longer problems",
             .paper = "Werbos, Backpropagation through time: what it does and how to do it, 1990"})
