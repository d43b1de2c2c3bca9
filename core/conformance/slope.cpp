#include "conformance/slope.h"

#include "conformance/behaviour.h"
#include "estimate/lane_unroller.h"
#include "execute/reference.h"
#include "learn/training.h"

#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <thread>

namespace lopt {
namespace {

/// The loss as a function of one number: how far to go along a direction.
class Along {
 public:
  Along(const Program& program, const Values& at, const std::vector<Array>& others)
      : program_(program), executable_(compile(program)), at_(at), others_(others) {
    for (const Operation& operation : program.operations)
      in_float64_ = in_float64_ && operation.primitive->name != "host";
  }
  bool in_float64() const { return in_float64_; }

  double loss(const Values& direction, double distance) const {
    return in_float64_ ? loss64(direction, distance) : loss32(direction, distance);
  }

 private:
  double loss64(const Values& direction, double distance) const {
    std::vector<std::vector<double>> inputs;
    for (std::size_t i = 0; i < at_.leaf_count(); ++i) {
      const Array base = at_.leaves()[i], way = direction.leaves()[i];
      inputs.emplace_back();
      for (std::size_t k = 0; k < base.size(); ++k)
        inputs.back().push_back(static_cast<double>(base.values<float>()[k]) +
                                distance * static_cast<double>(way.values<float>()[k]));
    }
    for (const Array& other : others_) {
      inputs.emplace_back();
      for (std::size_t k = 0; k < other.size(); ++k)
        inputs.back().push_back(other.dtype() == DType::float32 ? static_cast<double>(other.values<float>()[k])
                                : other.dtype() == DType::int32
                                    ? static_cast<double>(other.values<std::int32_t>()[k])
                                    : static_cast<double>(other.values<std::uint32_t>()[k]));
    }
    return evaluate_float64(program_, inputs)[0][0];
  }
  double loss32(const Values& direction, double distance) const {
    Values moved = at_;
    add_scaled(moved, static_cast<float>(distance), direction);
    std::vector<Array> inputs = moved.leaves();
    inputs.insert(inputs.end(), others_.begin(), others_.end());
    return static_cast<double>(executable_.run(inputs)[0].item<float>());
  }

  const Program& program_;
  Executable executable_;
  const Values& at_;
  const std::vector<Array>& others_;
  bool in_float64_ = true;
};

}  // namespace

Outcome compare_slope(const Tensor& loss, const Tree& of, const Values& at, const std::vector<Tensor>& other_inputs,
                      const std::vector<Array>& other_values) {
  std::vector<Tensor> inputs = of.leaves();
  inputs.insert(inputs.end(), other_inputs.begin(), other_inputs.end());
  std::vector<Array> values = at.leaves();
  values.insert(values.end(), other_values.begin(), other_values.end());
  const std::vector<Array> slopes = compile(make_program("gradient", inputs, gradient(loss, of).leaves())).run(values);
  const Values slope = at.with_leaves<Array>(slopes);
  for (std::size_t i = 0; i < slopes.size(); ++i)
    for (float x : slopes[i].values<float>())
      if (!std::isfinite(x)) return fail(fmt::format("the gradient by '{}' is not finite", at.paths()[i]));
  const Program program = make_program("loss", inputs, {loss});
  const Along along(program, at, other_values);
  const double step = along.in_float64() ? 1e-6 : 3e-3, relative = along.in_float64() ? 1e-3 : 2e-2;
  const double absolute = along.in_float64() ? 1e-6 : 1e-3;
  double worst = 0;
  for (std::uint64_t seed = 0; seed < 3; ++seed) {
    const Values direction = normal_like(HostKey::from_seed(seed), at, 1);
    const double by_difference = (along.loss(direction, step) - along.loss(direction, -step)) / (2 * step);
    const double by_gradient = dot(slope, direction);
    const double error = std::abs(by_difference - by_gradient),
                 scale = std::max(std::abs(by_difference), std::abs(by_gradient));
    if (!(error <= relative * scale + absolute))
      return fail(fmt::format("along a direction the gradient gives {:.6g}, finite differences give {:.6g}",
                              by_gradient, by_difference));
    worst = std::max(worst, error / (scale + absolute));
  }
  return pass(
      fmt::format("within {:.1g} of finite differences in {}", worst, along.in_float64() ? "float64" : "float32"));
}

Outcome compare_threads(const std::shared_ptr<const TaskFamily>& family, const OptimizerSource& optimizer,
                        const Values& theta) {
  constexpr std::uint32_t lanes = 4;
  constexpr int steps = 5;
  const LaneUnroller one(family, optimizer, types_of(theta), data_key(0), 1, steps),
      two(family, optimizer, types_of(theta), data_key(0), 2, steps);
  const auto bits = [&](const LaneUnroller& unroller) {
    std::vector<LaneStart> starts;
    for (std::uint32_t i = 0; i < lanes; ++i) starts.push_back({theta, HostKey::from_seed(i), i});
    UnrollOptions options;
    options.steps = steps;
    const Unrolled unrolled = unroller.unroll(unroller.start(starts), std::vector<Values>(lanes, theta), options);
    std::vector<Array> all{Array({static_cast<std::int64_t>(unrolled.losses.size())}, unrolled.losses)};
    for (const Lane& lane : unrolled.lanes)
      for (const Array& leaf : lane.state.leaves()) all.push_back(leaf);
    return digest(all);
  };
  const std::string here = bits(one);
  // Which of two threads runs which lane is chance; that another one runs all is not.
  std::string elsewhere;
  std::thread([&] { elsewhere = bits(one); }).join();
  if (elsewhere != here) return fail("the same problems have other bits on another thread");
  const auto start = std::chrono::steady_clock::now();
  for (int time = 0; time < 5 && std::chrono::steady_clock::now() - start < std::chrono::seconds(1); ++time)
    if (bits(two) != here) return fail("the same problems have other bits on two threads than on one");
  return pass();
}

}  // namespace lopt
