#include "../several.h"

using namespace lopt;

/// The mean of several estimators' gradients: of different kinds, lengths or perturbations, or of one kind several
/// times, which averages as many estimates of a meta-step. Each has problems of its own.
class AveragedEstimators final : public SeveralEstimators {
 public:
  explicit AveragedEstimators(Settings& s) : SeveralEstimators(s) {
    if (count() == 0) throw std::invalid_argument("needs `estimators`, a list of at least one");
  }

  Estimate estimate(const Values& theta, HostKey key, EstimatorState& state, const Unroller& unroller) const override {
    Estimate mean{0, zeros_like(theta)};
    const float share = 1.0F / static_cast<float>(count());
    for (const Estimate& one : estimates(theta, key, state, unroller)) {
      mean.loss += share * one.loss;
      add_scaled(mean.gradient, share, one.gradient);
    }
    return mean;
  }
};

LOPT_PLUGIN(AveragedEstimators, "averaged_estimators", {.summary = "The mean of several estimators' gradients"})
