#include <lopt/estimator.h>
#include <lopt/testing.h>

#include <cmath>
#include <cstdio>

using namespace lopt;

/// Problems whose every loss is 3·θ: the meta-gradient is 3, whatever the perturbations.
class Linear final : public Unroller {
 public:
  std::vector<Lane> start(std::span<const LaneStart> starts) const override { return std::vector<Lane>(starts.size()); }
  Unrolled unroll(std::vector<Lane> lanes, std::span<const Values> thetas, const UnrollOptions& o) const override {
    Unrolled result{std::move(lanes), {}, {}};
    for (const Values& theta : thetas)
      result.losses.insert(result.losses.end(), static_cast<std::size_t>(o.steps), 3 * theta["x"].leaf().item<float>());
    result.began.assign(result.losses.size(), 0);
    return result;
  }
  Unrolled unroll_with_gradient(std::vector<Lane>, const Values&, const UnrollOptions&, bool, Values&) const override {
    return {};
  }
};

int main(int, char** argv) {
  const auto estimator = testing::make<GradientEstimator>(argv[1], "my_plugin", "{tasks: 2}");
  const Values theta{{"x", Array::scalar(0.5F)}};
  EstimatorState state = estimator->init(theta, HostKey::from_seed(0), Linear());
  const Estimate estimate = estimator->estimate(theta, HostKey::from_seed(1), state, Linear());
  const float gradient = estimate.gradient["x"].leaf().item<float>();
  std::printf("loss %g, gradient %g\n", static_cast<double>(estimate.loss), static_cast<double>(gradient));
  return std::abs(gradient - 3) < 1e-3F && std::abs(estimate.loss - 1.5F) < 1e-4F ? 0 : 1;
}
