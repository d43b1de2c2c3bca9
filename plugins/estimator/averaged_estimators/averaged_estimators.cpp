#include <lopt/plugin.h>

#include <algorithm>

using namespace lopt;

/// The mean of several estimators' gradients: of different kinds, lengths or perturbations, or of one kind several
/// times, which averages as many estimates of a meta-step. Each has problems of its own.
class AveragedEstimators final : public GradientEstimator {
 public:
  explicit AveragedEstimators(Settings& s)
      : estimators_(s.drawn<GradientEstimator>("estimators").doc("a list of estimators").all()) {
    if (estimators_.empty()) throw std::invalid_argument("needs `estimators`, a list of at least one");
  }

  EstimatorState init(const Values& theta, HostKey key, const Unroller& unroller) const override {
    EstimatorState state{{}, Values(std::vector<Values::Entry>{})};
    const std::vector<HostKey> keys = task_keys(key, static_cast<int>(estimators_.size()));
    for (std::size_t i = 0; i < estimators_.size(); ++i)
      append(state, i, estimators_[i].component->init(theta, keys[i], unroller));
    return state;
  }

  Estimate estimate(const Values& theta, HostKey key, EstimatorState& state, const Unroller& unroller) const override {
    const std::vector<HostKey> keys = task_keys(key, static_cast<int>(estimators_.size()));
    Estimate mean{0, zeros_like(theta)};
    EstimatorState next{{}, Values(std::vector<Values::Entry>{})};
    auto lane = state.lanes.begin();
    const float share = 1.0F / static_cast<float>(estimators_.size());
    for (std::size_t i = 0; i < estimators_.size(); ++i) {
      const auto end = lane + state.values[lanes_of(i)].leaf().item<std::int32_t>();
      EstimatorState own{{std::make_move_iterator(lane), std::make_move_iterator(end)},
                         state.values[std::to_string(i)]};
      lane = end;
      const Estimate one = estimators_[i].component->estimate(theta, keys[i], own, unroller);
      mean.loss += share * one.loss;
      add_scaled(mean.gradient, share, one.gradient);
      append(next, i, std::move(own));
    }
    state = std::move(next);
    return mean;
  }

  std::string bias() const override {
    std::string all;
    for (const auto& estimator : estimators_)
      if (const std::string one = estimator.component->bias(); !one.empty() && all.find(one) == std::string::npos)
        all += (all.empty() ? "" : "; ") + one;
    return all;
  }
  std::int64_t problem_steps() const override {
    std::int64_t longest = 0;
    for (const auto& estimator : estimators_) {
      const std::int64_t steps = estimator.component->problem_steps();
      if (steps == 0) return 0;
      longest = std::max(longest, steps);
    }
    return longest;
  }

 private:
  static std::string lanes_of(std::size_t i) { return "lanes of " + std::to_string(i); }

  static void append(EstimatorState& all, std::size_t i, EstimatorState one) {
    all.values.set(lanes_of(i), Array::scalar(static_cast<std::int32_t>(one.lanes.size())));
    all.values.set(std::to_string(i), std::move(one.values));
    std::move(one.lanes.begin(), one.lanes.end(), std::back_inserter(all.lanes));
  }

  std::vector<Drawn<GradientEstimator>> estimators_;
};

LOPT_PLUGIN(AveragedEstimators, "averaged_estimators", {.summary = "The mean of several estimators' gradients"})
