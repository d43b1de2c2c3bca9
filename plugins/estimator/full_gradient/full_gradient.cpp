#include "../slopes.h"
#include "../task_clip.h"
#include "../loss_clip.h"

#include <lopt/plugin.h>

using namespace lopt;

/// Exact meta-gradient by backpropagation through the whole unroll (Andrychowicz et al., Learning to learn by gradient
/// descent by gradient descent, 2016): each meta-step starts `tasks` problems afresh, and the meta-loss is the mean
/// training loss of their first `unroll_length` steps.
class FullGradient final : public GradientEstimator {
 public:
  explicit FullGradient(Settings& s)
      : tasks_(s.integer("tasks", 1).between(1, 1 << 20).doc("inner problems a meta-step")),
        unroll_length_(
            s.integer("unroll_length", 10).between(1, 1 << 20).unit("steps").doc("inner steps of a problem")),
        recompute_states_(s.boolean("recompute_states", false)
                              .doc("keep every √n-th state and compute the others again: less memory, more time")),
        loss_clip_(loss_clip_of(s)),
        clip_(s) {}

  EstimatorState init(const Values&, HostKey, const Unroller&) const override {
    return {{}, {{"position", Array::scalar<std::int32_t>(0)}}};
  }

  Estimate estimate(const Values& theta, HostKey key, EstimatorState& state, const Unroller& unroller) const override {
    const std::int32_t position = state.values["position"].leaf().item<std::int32_t>();
    std::vector<LaneStart> starts;
    for (HostKey task_key : task_keys(key, tasks_))
      starts.push_back({theta, task_key, static_cast<std::uint32_t>(starts.size()), position});
    Estimate result{0, zeros_like(theta)};
    UnrollOptions options;
    options.steps = unroll_length_;
    options.loss_clip = loss_clip_;
    options.recompute_states = recompute_states_;
    options.most_lane_norm = clip_.most_norm();
    const Unrolled unrolled =
        unroller.unroll_with_gradient(unroller.start(starts), theta, options, true, result.gradient);
    result.loss = mean_loss(unrolled);
    state.values = {{"position", Array::scalar<std::int32_t>(position + unroll_length_)}};
    return result;
  }

  std::int64_t problem_steps() const override { return unroll_length_; }

 private:
  int tasks_, unroll_length_;
  bool recompute_states_;
  float loss_clip_;
  TaskClip clip_;
};

LOPT_PLUGIN(FullGradient, "full_gradient",
            {.summary = "Exact meta-gradient through a whole unroll",
             .paper = "Andrychowicz et al., Learning to learn by gradient descent by gradient descent, NeurIPS 2016"})
