// Optimizers, and optimizers around optimizers: their meta-gradients, and the rates that their schedules give.
#include "execute/executor.h"
#include "execute/rates.h"
#include "execute/reference.h"
#include "unit/plugins.h"
#include "unit/support.h"

#include <lopt/optimizer.h>
#include <lopt/testing.h>

#include "catch.h"

#include <cmath>

using namespace lopt;
using namespace lopt::test;

namespace {

/// With RATE in the place of the learning rate.
const std::vector<std::string>& optimizers() {
  static const std::vector<std::string> all{
      "{plugin: sgd, learning_rate: RATE}",
      "{plugin: momentum, learning_rate: RATE}",
      "{plugin: momentum, learning_rate: RATE, nesterov: true}",
      "{plugin: adam, learning_rate: RATE}",
      "{plugin: rmsprop, learning_rate: RATE}",
      "{plugin: adabelief, learning_rate: RATE, epsilon: 1e-8}",
      "{plugin: adamw, learning_rate: RATE}",
      "{plugin: fromage, learning_rate: RATE}",
      "{plugin: lars, learning_rate: RATE}",
      "{plugin: lamb, learning_rate: RATE}",
      "{plugin: radam, learning_rate: RATE}",
      "{plugin: yogi, learning_rate: RATE}",
      "{plugin: nadamw, learning_rate: RATE}",
      "{plugin: lion, learning_rate: RATE, weight_decay: 0.1}",
      "{plugin: adafactor, learning_rate: RATE}",
      "{plugin: adan, learning_rate: RATE}",
      "{plugin: shampoo, learning_rate: RATE}",
      "{plugin: soap, learning_rate: RATE, frequency: 3}",
      "{plugin: muon, learning_rate: RATE, adam_learning_rate: RATE}",
      "{plugin: schedule_free, learning_rate: RATE}",
      "{plugin: schedule_free, base: sgd, learning_rate: RATE}",
      "{plugin: prodigy, learning_rate: RATE}",
      "{plugin: clip_by_norm, norm: 0.3, inner: {plugin: sgd, learning_rate: RATE}}",
      "{plugin: clip_by_value, value: 0.3, inner: {plugin: sgd, learning_rate: RATE}}",
      "{plugin: weight_decay, inner: {plugin: adam, learning_rate: RATE}}",
      "{plugin: weight_decay, weight_decay: RATE, inner: {plugin: adam, learning_rate: 0.01}}",
      "{plugin: guard, inner: {plugin: adam, learning_rate: RATE}}",
      "{plugin: look_ahead, every: 3, inner: {plugin: adam, learning_rate: RATE}}",
      "{plugin: averaged, inner: {plugin: sgd, learning_rate: RATE}}",
      ("{plugin: by_leaf, inner: {plugin: adam, learning_rate: RATE}, "
       "leaves: {b*: {plugin: sgd, learning_rate: RATE}}}")};
  return all;
}

std::string with_rate(std::string spec, const std::string& rate) {
  for (std::size_t at = 0; (at = spec.find("RATE", at)) != std::string::npos; at += rate.size())
    spec.replace(at, 4, rate);
  return spec;
}

/// Of the first parameters, one, and those that no loss depends on, have gradients of exactly zero.
Tree first_params() {
  const auto numbers = [](const Shape& shape, std::uint64_t seed) {
    return Tensor(normal(HostKey::from_seed(seed), shape));
  };
  return {{"w", numbers({4, 3}, 1)}, {"b", numbers({3}, 2)}, {"unused", numbers({2, 2}, 3)}, {"gain", full({}, 0.7)}};
}

Tensor loss_of(const Tree& p) {
  const Tensor x(normal(HostKey::from_seed(9), {6, 4})), y = tanh(matmul(x, p["w"]) + p["b"]) * p["gain"];
  return mean(square(y - Tensor(normal(HostKey::from_seed(10), {6, 3}))));
}

UpdateContext context_of(const Tensor& loss, std::int64_t step, std::int64_t steps) {
  return {loss, full({}, static_cast<double>(step), DType::int32), steps, {zeros({2}, DType::uint32)}, {}};
}

}  // namespace

TEST_CASE("meta-gradients through twenty steps of each optimizer are those of float64's finite differences") {
  for (const std::string& spec : optimizers()) {
    INFO(spec);
    const auto optimizer = make<Optimizer>(with_rate(spec, "0.02"));
    const Tensor theta = make_input("theta", {DType::float32, {2}});
    // θ: the logarithm of a factor of each step, and what the first parameters are shifted by.
    Tree state = optimizer->init(first_params() + take(theta, 1, 0), {20, {zeros({2}, DType::uint32)}});
    Tensor total = zeros({});
    for (std::int64_t step = 0; step < 20; ++step) {
      const Tree before = optimizer->params(state);
      const Tensor loss = loss_of(before);
      total = total + loss;
      const Tree next = optimizer->update(state, gradient(loss, before), context_of(loss, step, 20));
      state = optimizer->with_params(next, before + exp(take(theta, 0, 0)) * (optimizer->params(next) - before));
    }
    total = total + loss_of(optimizer->evaluation_params(state));
    const Array at({2}, std::vector<float>{0.1F, 0.05F});
    const Tree slopes = gradient(total, Tree{{"theta", theta}});
    const Array slope = compile(make_program("slope", {theta}, slopes.leaves())).run(std::vector<Array>{at})[0];
    const Program program = make_program("total", {theta}, {total});
    const auto value = [&](double a, double b) {
      return evaluate_float64(program, std::vector<std::vector<double>>{{a, b}})[0][0];
    };
    constexpr double h = 1e-5, a = 0.1F, b = 0.05F;
    const double by_rate = (value(a + h, b) - value(a - h, b)) / (2 * h),
                 by_shift = (value(a, b + h) - value(a, b - h)) / (2 * h);
    // float32 through twenty steps, relative to the larger of both slopes.
    const double size = std::max({std::abs(by_rate), std::abs(by_shift), 1e-2});
    CHECK(static_cast<double>(slope.values<float>()[0]) == Approx(by_rate).margin(2e-3 * size));
    CHECK(static_cast<double>(slope.values<float>()[1]) == Approx(by_shift).margin(2e-3 * size));
  }
}

TEST_CASE("the first update takes a schedule at step 0, the last at num_steps − 1") {
  constexpr std::int64_t steps = 5;
  for (const std::string& spec : optimizers()) {
    INFO(spec);
    const auto scheduled = make<Optimizer>(with_rate(spec, "{plugin: linear, value: 0.01}"));
    Values state = testing::evaluate(
        [&](const Tree& in) {
          return scheduled->init(in, {steps, {zeros({2}, DType::uint32)}});
        },
        testing::evaluate([](const Tree&) { return first_params(); }, {{"none", Array::scalar(0.0F)}}));
    for (std::int64_t step = 0; step < steps; ++step) {
      // One update from this state with the number that the schedule should give: 0.01 · (1 − step/5).
      const double rate = 0.01 * (1 - static_cast<double>(step) / steps);
      const auto constant = make<Optimizer>(with_rate(spec, std::to_string(rate)));
      const auto updated = [&](const Optimizer& optimizer) {
        return testing::evaluate(
            [&](const Tree& in) {
              const Tree params = optimizer.params(in);
              const Tensor loss = loss_of(params);
              return optimizer.update(in, gradient(loss, params), context_of(loss, step, steps));
            },
            state);
      };
      const Values by_schedule = updated(*scheduled), by_number = updated(*constant);
      for (std::size_t leaf = 0; leaf < by_schedule.leaf_count(); ++leaf) {
        if (by_schedule.leaves()[leaf].dtype() != DType::float32) continue;
        const Array a = by_schedule.leaves()[leaf], b = by_number.leaves()[leaf];
        for (std::size_t i = 0; i < a.size(); ++i)
          CHECK(a.values<float>()[i] == Approx(b.values<float>()[i]).epsilon(1e-5).margin(1e-7));
      }
      state = by_schedule;
    }
  }
}

TEST_CASE("schedules are their formulas") {
  const auto rates = [](const std::string& spec, std::int64_t steps) {
    return rates_of(Rate(make<Schedule>(spec)), steps);
  };
  const auto check = [&](const std::string& spec, std::int64_t steps, const std::function<double(double)>& formula) {
    INFO(spec);
    const std::vector<double> values = rates(spec, steps);
    for (std::size_t i = 0; i < values.size(); ++i)
      CHECK(values[i] == Approx(formula(static_cast<double>(i))).epsilon(2e-6).margin(1e-9));
  };
  check("{plugin: constant, value: 0.3}", 3, [](double) { return 0.3; });
  check("{plugin: linear, value: 1, end: 0.5}", 10, [](double i) { return 1 - 0.5 * i / 10; });
  check("{plugin: linear, value: 1, steps: 4}", 10, [](double i) { return std::max(0.0, 1 - i / 4); });
  check("{plugin: cosine, value: 2, end: 1}", 8, [](double i) { return 1 + (1 + std::cos(M_PI * i / 8)) / 2; });
  check("{plugin: exponential, value: 1, decay: 0.5, every: 4}", 12, [](double i) { return std::pow(0.5, i / 4); });
  check("{plugin: exponential, value: 1, decay: 0.5, every: 4, stairs: true, end: 0.3}", 12,
        [](double i) { return std::max(0.3, std::pow(0.5, std::floor(i / 4))); });
  check("{plugin: piecewise, boundaries: [2, 5], values: [1, 0.1, 0.01]}", 8, [](double i) {
    return i < 2 ? 1 : i < 5 ? 0.1 : 0.01;
  });
  check("{plugin: inverse_square_root, value: 1, scale: 4}", 13, [](double i) { return std::sqrt(4 / (4 + i)); });
  // No update at rate 0, and what follows counts from the end of the rise, over the steps that are left.
  check("{plugin: warm_up, steps: 4, then: {plugin: cosine, value: 1}}", 12,
        [](double i) { return i < 4 ? (i + 1) / 4 : (1 + std::cos(M_PI * (i - 4) / 8)) / 2; });
  check("{plugin: warm_up, steps: 2, then: {plugin: warm_up, steps: 2, then: 1}}", 6, [](double i) {
    return i < 2 ? (i + 1) / 2 * 0.5 : i < 4 ? (i - 1) / 2 : 1;
  });
  CHECK_THROWS_AS(rates("{plugin: warm_up, steps: 4, then: 1}", 4), SettingsError);
}
