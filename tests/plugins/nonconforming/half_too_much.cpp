// caught by: unbiased. Its gradient is half too large, and it does not say so.
#include "evolution.h"

class HalfTooMuch final : public Estimator {
 public:
  using Estimator::Estimator;
  lopt::Estimate estimate(const lopt::Values& theta, lopt::HostKey key, lopt::EstimatorState& state,
                          const lopt::Unroller& unroller) const override {
    lopt::Estimate result = Estimator::estimate(theta, key, state, unroller);
    const lopt::Values once = result.gradient;
    add_scaled(result.gradient, 0.5F, once);
    return result;
  }
};
LOPT_PLUGIN(HalfTooMuch, "half_too_much", {.summary = "Overestimates"})
