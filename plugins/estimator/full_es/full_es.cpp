#include "../directions.h"
#include "../loss_clip.h"

#include <lopt/plugin.h>

using namespace lopt;

/// Antithetic evolution strategies on whole unrolls (Salimans et al., Evolution strategies as a scalable alternative to
/// reinforcement learning, 2017): ε ~ N(0, σ²), gradient = mean over directions of (L(θ+ε) − L(θ−ε)) / (2σ²) · ε,
/// where L is the mean training loss of the first `unroll_length` steps of a problem started afresh.
class FullEs final : public GradientEstimator {
 public:
  explicit FullEs(Settings& s)
      : tasks_(s.integer("tasks", 32)
                   .between(1, 1 << 20)
                   .doc("directions, each with a problem of its own that runs twice")),
        unroll_length_(
            s.integer("unroll_length", 10).between(1, 1 << 20).unit("steps").doc("inner steps of a problem")),
        std_(static_cast<float>(
            double{s.real("std", 0.01).above(0).at_most(1e6).doc("σ, standard deviation of the perturbations of θ")})),
        directions_(s),
        loss_clip_(loss_clip_of(s)),
        clip_(s) {}

  EstimatorState init(const Values&, HostKey, const Unroller&) const override {
    return {{}, {{"position", Array::scalar<std::int32_t>(0)}}};
  }

  Estimate estimate(const Values& theta, HostKey key, EstimatorState& state, const Unroller& unroller) const override {
    const std::int32_t position = state.values["position"].leaf().item<std::int32_t>();
    const std::vector<HostKey> keys = task_keys(key, tasks_);
    const AntitheticPairs pairs = pairs_of(theta, directions_.draw(theta, keys, key, std_));
    std::vector<LaneStart> starts;
    for (std::size_t i = 0; i < pairs.thetas.size(); ++i) {
      const std::size_t task = i % keys.size();
      starts.push_back({pairs.thetas[i], keys[task], static_cast<std::uint32_t>(task), position});
    }
    UnrollOptions options;
    options.steps = unroll_length_;
    options.loss_clip = loss_clip_;
    const Unrolled unrolled = unroller.unroll(unroller.start(starts), pairs.thetas, options);
    const PairLosses losses{unrolled, keys.size(), static_cast<std::size_t>(unroll_length_)};
    MeanGradient gradient(theta, keys.size(), clip_);
    for (std::size_t task = 0; task < keys.size(); ++task)
      gradient.add({{losses.difference(task) / (2 * std_ * std_), pairs.noise[task]}});
    state.values = {{"position", Array::scalar<std::int32_t>(position + unroll_length_)}};
    return {losses.mean(), gradient.take()};
  }

  std::int64_t problem_steps() const override { return unroll_length_; }

 private:
  int tasks_, unroll_length_;
  float std_;
  Directions directions_;
  float loss_clip_;
  TaskClip clip_;
};

LOPT_PLUGIN(
    FullEs, "full_es",
    {.summary = "Antithetic evolution strategies on whole unrolls",
     .paper = "Salimans et al., Evolution strategies as a scalable alternative to reinforcement learning, 2017"})
