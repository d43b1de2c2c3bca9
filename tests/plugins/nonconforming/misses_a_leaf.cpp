// caught by: estimate. Its gradient has not all that θ has.
#include "evolution.h"

class MissesALeaf final : public Estimator {
 public:
  using Estimator::Estimator;
  lopt::Estimate estimate(const lopt::Values& theta, lopt::HostKey key, lopt::EstimatorState& state,
                          const lopt::Unroller& unroller) const override {
    lopt::Estimate result = Estimator::estimate(theta, key, state, unroller);
    result.gradient.entries().pop_back();
    return result;
  }
};
LOPT_PLUGIN(MissesALeaf, "misses_a_leaf", {.summary = "Gives a gradient for some of θ"})
