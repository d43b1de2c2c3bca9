#pragma once
#include <lopt/plugin.h>

/// Antithetic evolution strategies on whole unrolls of one problem after the other: what the broken estimators of this
/// folder are made of.
class Estimator : public lopt::GradientEstimator {
 public:
  explicit Estimator(lopt::Settings&) {}
  lopt::EstimatorState init(const lopt::Values&, lopt::HostKey, const lopt::Unroller&) const override {
    return {{}, {{"step", lopt::Array::scalar<std::int32_t>(0)}}};
  }
  lopt::Estimate estimate(const lopt::Values& theta, lopt::HostKey key, lopt::EstimatorState&,
                          const lopt::Unroller& unroller) const override {
    lopt::Estimate result{0, zeros_like(theta)};
    for (lopt::HostKey task : lopt::task_keys(key, 8)) {
      const lopt::Values noise = normal_like(task, theta, 0.01F);
      for (float sign : {1.0F, -1.0F}) {
        lopt::Values moved = theta;
        add_scaled(moved, sign, noise);
        const lopt::LaneStart start{moved, task};
        lopt::UnrollOptions options;
        options.steps = 4;
        for (float loss : unroller.unroll(unroller.start({&start, 1}), {&moved, 1}, options).losses) {
          result.loss += loss / 64;
          add_scaled(result.gradient, sign * loss / 4 / (2 * 0.01F * 0.01F) / 8, noise);
        }
      }
    }
    return result;
  }
  std::int64_t problem_steps() const override { return 4; }
};
