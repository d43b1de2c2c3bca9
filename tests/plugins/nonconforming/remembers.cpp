// caught by: resumable. What it knows of the steps before is in the object, not in the state.
#include "evolution.h"

class Remembers final : public Estimator {
 public:
  using Estimator::Estimator;
  lopt::EstimatorState init(const lopt::Values& theta, lopt::HostKey key, const lopt::Unroller& u) const override {
    steps_ = 0;
    return Estimator::init(theta, key, u);
  }
  lopt::Estimate estimate(const lopt::Values& theta, lopt::HostKey key, lopt::EstimatorState& state,
                          const lopt::Unroller& unroller) const override {
    return Estimator::estimate(theta, fold_in(key, steps_++), state, unroller);
  }

 private:
  mutable std::uint32_t steps_ = 0;
};
LOPT_PLUGIN(Remembers, "remembers", {.summary = "Keeps its place in the object"})
