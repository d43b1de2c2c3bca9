// Checks of gradient estimators, on problems whose meta-gradient is known.
#include "conformance/behaviour.h"
#include "conformance/check.h"
#include "conformance/made_up.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <chrono>
#include <cmath>
#include <limits>

namespace lopt {
namespace {

const std::vector<std::string> estimator_kinds{GradientEstimator::kind};

Outcome estimate(Subject& s) {
  const auto estimator = s.as<GradientEstimator>();
  const QuadraticProblems problems;
  const Values theta = QuadraticProblems::theta();
  EstimatorState state = estimator->init(theta, HostKey::from_seed(1), problems);
  const Estimate result = estimator->estimate(theta, HostKey::from_seed(2), state, problems);
  if (result.gradient.paths() != theta.paths())
    return fail(fmt::format("the gradient has the leaves {}, θ has {}", fmt::join(result.gradient.paths(), ", "),
                            fmt::join(theta.paths(), ", ")));
  for (std::size_t i = 0; i < theta.leaf_count(); ++i)
    if (result.gradient.leaves()[i].type() != theta.leaves()[i].type())
      return fail(fmt::format("the gradient by {} is {}, θ's is {}", theta.paths()[i],
                              to_text(result.gradient.leaves()[i].type()), to_text(theta.leaves()[i].type())));
  if (!std::isfinite(result.loss)) return fail(fmt::format("the loss is {}", result.loss));
  return pass();
}

/// Mean and standard error of independent estimates, each the mean over a few meta-steps from a start of its own.
struct Sample {
  std::vector<double> sum, squares;
  int count = 0;

  void add(const std::vector<double>& x) {
    sum.resize(x.size()), squares.resize(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) sum[i] += x[i], squares[i] += x[i] * x[i];
    ++count;
  }
  double mean(std::size_t i) const { return sum[i] / count; }
  double error(std::size_t i) const {
    return std::sqrt(std::max(0.0, squares[i] / count - mean(i) * mean(i)) / (count - 1));
  }
};

std::vector<double> mean_estimate(const GradientEstimator& estimator, std::uint64_t seed) {
  constexpr int meta_steps = 12;
  const QuadraticProblems problems;
  const Values theta = QuadraticProblems::theta();
  HostKey key = HostKey::from_seed(seed);
  EstimatorState state = estimator.init(theta, key, problems);
  Values total = zeros_like(theta);
  for (int step = 0; step < meta_steps; ++step) {
    const std::vector<HostKey> keys = split(key);
    key = keys[1];
    add_scaled(total, 1.0F / meta_steps, estimator.estimate(theta, keys[0], state, problems).gradient);
  }
  std::vector<double> result;
  for (const Array& leaf : total.leaves())
    for (float x : leaf.values<float>()) result.push_back(static_cast<double>(x));
  return result;
}

Outcome unbiased(Subject& s) {
  using Clock = std::chrono::steady_clock;
  const auto estimator = s.as<GradientEstimator>();
  const auto start = Clock::now();
  Sample sample;
  while (sample.count < 400 && (sample.count < 30 || Clock::now() - start < std::chrono::milliseconds(700)))
    sample.add(mean_estimate(*estimator, static_cast<std::uint64_t>(sample.count)));
  const std::vector<double> expected = QuadraticProblems::gradient();
  double along = 0, norm = 0;
  std::string outside;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    along += sample.mean(i) * expected[i], norm += expected[i] * expected[i];
    // 4.5 standard errors: one honest estimator in 50,000 is outside for one of three numbers.
    const double allowed = 4.5 * sample.error(i) + 1e-3 * std::abs(expected[i]);
    if (std::abs(sample.mean(i) - expected[i]) > allowed)
      outside = fmt::format("the mean of {} estimates is {:.4f} ± {:.4f} where the gradient is {:.4f}", sample.count,
                            sample.mean(i), sample.error(i), expected[i]);
  }
  if (const std::string bias = estimator->bias(); !bias.empty())
    return pass(fmt::format("states its bias: {}; {:.3f} of the gradient here", bias, along / norm));
  if (!outside.empty()) return fail(outside + "; bias() should say why");
  return pass(fmt::format("{:.3f} of the gradient, {} estimates", along / norm, sample.count));
}

/// What a checkpoint needs: the state alone, given to another object, goes on in the same way.
Outcome resumable(Subject& s) {
  const auto first = s.as<GradientEstimator>(), second = s.as<GradientEstimator>();
  const QuadraticProblems problems;
  const Values theta = QuadraticProblems::theta();
  EstimatorState state = first->init(theta, HostKey::from_seed(1), problems);
  for (std::uint64_t step = 0; step < 2; ++step)
    static_cast<void>(first->estimate(theta, HostKey::from_seed(step), state, problems));
  EstimatorState copy = state;
  const Estimate a = first->estimate(theta, HostKey::from_seed(9), state, problems),
                 b = second->estimate(theta, HostKey::from_seed(9), copy, problems);
  if (digest(a.gradient.leaves()) != digest(b.gradient.leaves()))
    return fail("another object does not go on from its state as it does itself: it keeps something outside the state");
  return pass();
}

Outcome estimator_with_nan(Subject& s) {
  const auto estimator = s.as<GradientEstimator>();
  const QuadraticProblems problems(std::numeric_limits<float>::quiet_NaN());
  const Values theta = QuadraticProblems::theta();
  EstimatorState state = estimator->init(theta, HostKey::from_seed(1), problems);
  for (std::uint64_t step = 0; step < 3; ++step)
    static_cast<void>(estimator->estimate(theta, HostKey::from_seed(step), state, problems));
  return pass();
}

Outcome estimator_has_same_bits(Subject& s) {
  const auto estimator = s.as<GradientEstimator>();
  const auto learned = std::make_shared<TwoWeights>();
  const Values theta = initial_theta(*learned, 0);
  std::string first;
  for (int threads : {1, 2}) {
    const LaneUnroller unroller(family_of(std::make_shared<Bowl>()), source_of(learned), types_of(theta), data_key(0),
                                threads, estimator->problem_steps());
    EstimatorState state = estimator->init(theta, HostKey::from_seed(1), unroller);
    std::vector<Array> all;
    for (std::uint64_t step = 0; step < 3; ++step) {
      const Estimate result = estimator->estimate(theta, HostKey::from_seed(step), state, unroller);
      all.push_back(Array::scalar(result.loss));
      for (const Array& leaf : result.gradient.leaves()) all.push_back(leaf);
    }
    if (threads == 1)
      first = digest(all);
    else if (digest(all) != first)
      return fail("estimates on two threads have other bits than on one");
  }
  return pass();
}

}  // namespace

std::vector<Check> estimator_checks() {
  return {{"estimate", estimator_kinds, {"calls"}, estimate},
          {"unbiased", estimator_kinds, {"estimate", "deterministic"}, unbiased},
          {"resumable", estimator_kinds, {"estimate", "deterministic"}, resumable},
          {"nan", estimator_kinds, {"estimate"}, estimator_with_nan},
          {"same_bits", estimator_kinds, {"deterministic", "estimate"}, estimator_has_same_bits}};
}

}  // namespace lopt
