// Estimators against made-up losses whose gradient is known, through the interface that plugins see.
#include "registry/registry.h"
#include "unit/support.h"

#include <lopt/estimator.h>

#include "catch.h"

#include <cstdlib>

using namespace lopt;
using namespace lopt::test;

namespace {

/// The loss of a step is linear in the sum of all θ that the problem has seen so far: d loss / dθ is known, and an
/// estimator that forgets earlier segments is biased.
class LinearProblems final : public Unroller {
 public:
  std::vector<Lane> start(std::span<const LaneStart> starts) const override {
    std::vector<Lane> lanes;
    for (const LaneStart& start : starts) {
      lanes.emplace_back();
      lanes.back().stream = start.stream;
      lanes.back().state = {{"sum", Array(DType::float32, {})}};
    }
    return lanes;
  }
  Unrolled unroll(std::vector<Lane> lanes, std::span<const Values> thetas,
                  const UnrollOptions& options) const override {
    Unrolled result{std::move(lanes), {}, {}};
    for (std::size_t i = 0; i < result.lanes.size(); ++i) {
      Lane& lane = result.lanes[i];
      float sum = lane.state["sum"].leaf().item<float>();
      for (int k = 0; k < options.steps; ++k) {
        const bool restart = options.problem_length && lane.iteration >= *options.problem_length;
        lane.iteration = restart ? 0 : lane.iteration + 1;
        if (restart) sum = 0;
        result.began.push_back(restart);
        sum += thetas[i]["x"].leaf().item<float>();
        result.losses.push_back(sum);
      }
      lane.state = {{"sum", Array::scalar(sum)}};
    }
    return result;
  }
  Unrolled unroll_with_gradient(std::vector<Lane>, const Values&, const UnrollOptions&, bool, Values&) const override {
    throw std::logic_error("not asked for here");
  }
};

std::shared_ptr<const GradientEstimator> estimator(Registry& registry, const std::string& spec) {
  SpecErrors errors;
  SpecNode resolved;
  auto made = registry.make(GradientEstimator::kind, parse_spec(spec, "test"), "estimator", errors, resolved);
  errors.raise();
  return std::static_pointer_cast<const GradientEstimator>(made);
}

Registry plugins() {
  Registry registry;
  registry.add_path(LOPT_BINARY "/lib/lopt/plugins", "the test", true);
  return registry;
}

/// Mean gradient over many meta-steps, after the first.
double mean_gradient(const GradientEstimator& pes, int steps) {
  const LinearProblems problems;
  const Values theta{{"x", Array::scalar(0.5F)}};
  HostKey key = HostKey::from_seed(7);
  EstimatorState state = pes.init(theta, key, problems);
  double total = 0;
  for (int s = 0; s < steps; ++s) {
    const std::vector<HostKey> keys = split(key);
    key = keys[1];
    const float gradient = pes.estimate(theta, keys[0], state, problems).gradient["x"].leaf().item<float>();
    if (s >= 10) total += static_cast<double>(gradient);
  }
  return total / (steps - 10);
}

}  // namespace

TEST_CASE("the default of pes is unbiased, truncated ES misses earlier segments") {
  Registry registry = plugins();
  // Problems of 9 + 1 steps in segments of 4: step j (1 … 10) has loss j·θ, so the mean gradient of a step is 5.5.
  const std::string common = ", tasks: 64, unroll_length: 4, problem_length: 9, std: 0.1, loss_clip: 1000000}";
  const double pes = mean_gradient(*estimator(registry, "{plugin: pes" + common), 3010);
  CHECK(pes == Approx(5.5).epsilon(0.02));
  const double truncated = mean_gradient(*estimator(registry, "{plugin: truncated_es" + common), 3010);
  CHECK(truncated < 3);
  // The tutorial's form divides by 2σ, not 2σ². Its late credit adds variance: what meets the old sum is independent of
  // it.
  const double tutorial = mean_gradient(*estimator(registry, "{plugin: pes, as_in_tutorial: true" + common), 3010);
  CHECK(tutorial / 0.1 == Approx(5.5).epsilon(0.05));
}

TEST_CASE("full_es is exact on linear losses") {
  Registry registry = plugins();
  // Steps 1 … 4 have losses θ, 2θ, 3θ, 4θ: the gradient of their mean is 2.5 in each direction of one dimension.
  const double es =
      mean_gradient(*estimator(registry, "{plugin: full_es, tasks: 64, unroll_length: 4, std: 0.1}"), 1010);
  CHECK(es == Approx(2.5).epsilon(0.02));
}
