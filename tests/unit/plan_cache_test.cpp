// Programs that differ in numbers alone share a plan, and nothing else.
#include "execute/plan_cache.h"
#include "unit/support.h"

#include <lopt/scan.h>

#include "catch.h"

using namespace lopt;

namespace {

Program scaled(float factor, std::int64_t n, const char* input = "x") {
  const Tensor x = make_input(input, {DType::float32, {n}});
  return make_program("scaled", {x}, {tanh(x * factor) + 1});
}

Program looped(float decay, std::int64_t steps) {
  const Tensor x = make_input("x", {DType::float32, {steps, 3}});
  const auto step = [&](const std::vector<Tensor>& h, const std::vector<Tensor>& slice) {
    const Tensor next = decay * h[0] + slice[0];
    return ScanStep{{next}, {next}};
  };
  return make_program("looped", {x}, {scan(step, {zeros({3})}, {x}).outputs[0]});
}

std::vector<float> run(const Executable& executable, const Shape& shape) {
  Array x(DType::float32, shape);
  float value = 0.25F;
  for (float& element : x.mutable_values<float>()) element = value += 0.5F;
  const Array y = executable.run(std::vector<Array>{x})[0];
  return {y.values<float>().begin(), y.values<float>().end()};
}

}  // namespace

TEST_CASE("programs that differ in numbers alone share a plan, each with its own numbers") {
  PlanCache plans;
  const Executable a = plans.compile(scaled(0.5F, 20)), b = plans.compile(scaled(0.7F, 20, "y"));
  CHECK(plans.plans() == 1);
  CHECK(&a.plan() == &b.plan());
  CHECK(run(a, {20}) == run(compile(scaled(0.5F, 20)), {20}));
  CHECK(run(b, {20}) == run(compile(scaled(0.7F, 20)), {20}));
  CHECK(run(a, {20}) != run(b, {20}));
  static_cast<void>(plans.compile(scaled(0.5F, 21)));
  CHECK(plans.plans() == 2);
}

TEST_CASE("loops share a plan where their bodies are equal to the last number") {
  PlanCache plans;
  const Executable a = plans.compile(looped(0.5F, 6)), b = plans.compile(looped(0.5F, 6));
  CHECK(plans.plans() == 1);
  const Executable other = plans.compile(looped(0.25F, 6));
  CHECK(plans.plans() == 2);
  CHECK(run(other, {6, 3}) == run(compile(looped(0.25F, 6)), {6, 3}));
  CHECK(run(b, {6, 3}) == run(a, {6, 3}));
  static_cast<void>(plans.compile(looped(0.5F, 7)));
  CHECK(plans.plans() == 3);
}
