#include <lopt/plugin.h>

using namespace lopt;

/// Evolution strategies without antithetic pairs: each direction is run once, and its loss is compared with the mean of
/// the others (Kool, van Hoof and Welling, Buy 4 REINFORCE samples, get a baseline for free!, 2019):
///   ε ~ N(0, σ²), gradient = mean over directions k of (L(θ + εₖ) − mean over j ≠ k of L(θ + εⱼ)) / σ² · εₖ,
/// where L is the mean loss of an unroll of one problem, the same for all directions of a meta-step.
class LeaveOneOutEs final : public GradientEstimator {
 public:
  explicit LeaveOneOutEs(Settings& s)
      : directions_(s.integer("directions", 32).between(2, 1 << 20).doc("perturbations a meta-step")),
        steps_(s.integer("unroll_length", 10).between(1, 1 << 20).unit("steps").doc("inner steps of a problem")),
        std_(static_cast<float>(
            double{s.real("std", 0.01).above(0).at_most(1e6).doc("σ, standard deviation of the perturbations")})) {}

  EstimatorState init(const Values&, HostKey, const Unroller&) const override {
    return {{}, {{"position", Array::scalar<std::int32_t>(0)}}};
  }

  Estimate estimate(const Values& theta, HostKey key, EstimatorState& state, const Unroller& unroller) const override {
    const std::int32_t position = state.values["position"].leaf().item<std::int32_t>();
    const HostKey problem = fold_in(key, 0);
    std::vector<Values> noise, thetas;
    for (HostKey direction : split(fold_in(key, 1), directions_)) {
      noise.push_back(normal_like(direction, theta, std_));
      thetas.push_back(theta);
      add_scaled(thetas.back(), 1, noise.back());
    }
    std::vector<LaneStart> starts;
    for (const Values& moved : thetas) starts.push_back({moved, problem, 0, position});
    UnrollOptions options;
    options.steps = steps_;
    const Unrolled unrolled = unroller.unroll(unroller.start(starts), thetas, options);

    const auto count = static_cast<std::size_t>(directions_), steps = static_cast<std::size_t>(steps_);
    std::vector<double> loss(count, 0);
    double total = 0;
    for (std::size_t i = 0; i < unrolled.losses.size(); ++i) {
      loss[i / steps] += static_cast<double>(unrolled.losses[i]) / steps_;
      total += static_cast<double>(unrolled.losses[i]) / steps_;
    }
    Estimate result{static_cast<float>(total / directions_), zeros_like(theta)};
    for (std::size_t k = 0; k < count; ++k) {
      const double others = (total - loss[k]) / (directions_ - 1);
      add_scaled(result.gradient, static_cast<float>(loss[k] - others) / (std_ * std_) / static_cast<float>(count),
                 noise[k]);
    }
    state.values = {{"position", Array::scalar(position + steps_)}};
    return result;
  }

  std::int64_t problem_steps() const override { return steps_; }

 private:
  int directions_, steps_;
  float std_;
};

LOPT_PLUGIN(LeaveOneOutEs, "leave_one_out_es",
            {.summary = "Evolution strategies with the mean of the other directions as a baseline",
             .paper = "Kool, van Hoof and Welling, Buy 4 REINFORCE samples, get a baseline for free!, 2019"})
