#pragma once
// Estimators of estimators: each of a list has problems and values of its own in one state.

#include <lopt/plugin.h>

#include <algorithm>
#include <iterator>

namespace lopt {

class SeveralEstimators : public GradientEstimator {
 public:
  EstimatorState init(const Values& theta, HostKey key, const Unroller& unroller) const override {
    EstimatorState state{{}, Values(std::vector<Values::Entry>{})};
    const std::vector<HostKey> keys = task_keys(key, static_cast<int>(estimators_.size()));
    for (std::size_t i = 0; i < estimators_.size(); ++i)
      append(state, i, estimators_[i].component->init(theta, keys[i], unroller));
    return state;
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

 protected:
  explicit SeveralEstimators(Settings& s)
      : estimators_(s.drawn<GradientEstimator>("estimators").doc("a list of estimators").all()) {}

  std::size_t count() const { return estimators_.size(); }

  /// One estimate of each, and their states brought on. What else is in the state stays.
  std::vector<Estimate> estimates(const Values& theta, HostKey key, EstimatorState& state,
                                  const Unroller& unroller) const {
    const std::vector<HostKey> keys = task_keys(key, static_cast<int>(estimators_.size()));
    EstimatorState next{{}, std::move(state.values)};
    std::vector<Estimate> result;
    auto lane = state.lanes.begin();
    for (std::size_t i = 0; i < estimators_.size(); ++i) {
      const auto end = lane + next.values[lanes_of(i)].leaf().item<std::int32_t>();
      EstimatorState own{{std::make_move_iterator(lane), std::make_move_iterator(end)}, next.values[std::to_string(i)]};
      lane = end;
      result.push_back(estimators_[i].component->estimate(theta, keys[i], own, unroller));
      append(next, i, std::move(own));
    }
    state = std::move(next);
    return result;
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

}  // namespace lopt
