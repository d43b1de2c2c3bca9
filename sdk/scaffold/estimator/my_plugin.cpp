#include <lopt/plugin.h>

using namespace lopt;

/// Spall, 1992: gradient = mean over problems of (L(θ + cδ) − L(θ − cδ)) / (2c) · δ, where δ ∈ {−1, 1}ⁿ is random.
class MyPlugin final : public GradientEstimator {
 public:
  explicit MyPlugin(Settings& s)
      : tasks_(s.integer("tasks", 16).between(1, 65536).doc("problems, each run to both sides")),
        steps_(s.integer("unroll_length", 10).between(1, 65536).unit("steps").doc("inner steps of a problem")),
        c_(static_cast<float>(double{s.real("c", 0.01).between(1e-6, 1e3).doc("how far the weights move")})) {}
  EstimatorState init(const Values&, HostKey, const Unroller&) const override { return {{}, {{"none", Array()}}}; }
  Estimate estimate(const Values& theta, HostKey key, EstimatorState&, const Unroller& unroller) const override {
    Estimate result{0, zeros_like(theta)};
    UnrollOptions options;
    options.steps = steps_;
    const float losses = static_cast<float>(2 * tasks_ * steps_);
    for (HostKey task : task_keys(key, tasks_)) {
      Values delta = normal_like(task, theta, 1);
      for (auto& [name, leaf] : delta.entries())
        for (float& x : leaf.leaf().mutable_values<float>()) x = x < 0 ? -1.0F : 1.0F;
      for (float side : {1.0F, -1.0F}) {
        Values moved = theta;
        add_scaled(moved, side * c_, delta);
        const LaneStart start{moved, task};
        for (float loss : unroller.unroll(unroller.start({&start, 1}), {&moved, 1}, options).losses) {
          result.loss += loss / losses;
          add_scaled(result.gradient, side * loss / losses / c_, delta);
        }
      }
    }
    return result;
  }
  std::int64_t problem_steps() const override { return steps_; }

 private:
  int tasks_, steps_;
  float c_;
};
LOPT_PLUGIN(MyPlugin, "my_plugin", {.summary = "Simultaneous perturbation on whole unrolls", .paper = "Spall, 1992"})
