// Gradients where something is exactly 0, and lengths of very small and very large vectors.
#include "gradient/gradient.h"
#include "kernels/simd.h"
#include "unit/support.h"

#include "catch.h"

#include <functional>

using namespace lopt;
using namespace lopt::test;

namespace {

Tensor slope_of(const Tensor& loss, const Tensor& x) { return gradient(loss, std::vector<Tensor>{x})[0]; }

/// f and its gradient by x, from the planned executor, at these elements.
struct Slope {
  std::vector<float> value, slope;
  Slope(const std::function<Tensor(const Tensor&)>& f, const std::vector<float>& at) {
    const Tensor x = make_input("x", {DType::float32, {static_cast<std::int64_t>(at.size())}}), y = f(x);
    const std::vector<Array> results = compile(make_program("slope", {x}, {y, slope_of(sum(y), x)}))
                                           .run(std::vector<Array>{Array({static_cast<std::int64_t>(at.size())}, at)});
    value.assign(results[0].values<float>().begin(), results[0].values<float>().end());
    slope.assign(results[1].values<float>().begin(), results[1].values<float>().end());
  }
};

}  // namespace

TEST_CASE("a cotangent of exactly 0 gives 0, however infinite the derivative is") {
  // Each function has an infinite derivative at 0, and is multiplied with 0 there.
  const std::vector<std::pair<std::string, std::function<Tensor(const Tensor&)>>> functions{
      {"sqrt", [](const Tensor& x) { return sqrt(x); }},
      {"rsqrt", [](const Tensor& x) { return rsqrt(x); }},
      {"log", [](const Tensor& x) { return log(x); }},
      {"log1p", [](const Tensor& x) { return log1p(x - 1); }},
      {"power", [](const Tensor& x) { return power(x, 0.5); }},
      {"exponent", [](const Tensor& x) { return power(2, 1 / x); }},
      {"divide", [](const Tensor& x) { return 1 / x; }},
      {"exp", [](const Tensor& x) { return exp(1 / x); }},
      {"expm1", [](const Tensor& x) { return expm1(1 / x); }},
      {"erf_inv", [](const Tensor& x) { return erf_inv(1 - x); }}};
  for (const auto& [name, f] : functions) {
    INFO(name);
    const Slope masked([&f = f](const Tensor& x) { return where(x > 0, f(x), 0); }, {0, 0.25F});
    CHECK(masked.slope[0] == 0);
    CHECK(std::isfinite(masked.slope[1]));
    CHECK(masked.slope[1] != 0);
    // Of the second order too, but for products with a value that is itself infinite.
    if (!std::isfinite(Slope(f, {0}).value[0])) continue;
    const Slope second([&f = f](const Tensor& x) { return slope_of(sum(where(x > 0, f(x), 0)), x); }, {0, 0.25F});
    CHECK(second.slope[0] == 0);
    CHECK(std::isfinite(second.slope[1]));
  }
  // Finite results keep their bits, the sign of zero among them; what is infinite without a zero stays so.
  const Tensor c = make_input("c", {DType::float32, {4}}), p = make_input("p", {DType::float32, {4}});
  const std::vector<Array> kept = compile(make_program("kept", {c, p}, {strong_zero(c, p)}))
                                      .run(std::vector<Array>{Array({4}, std::vector<float>{0, -0.0F, 1, 0}),
                                                              Array({4}, std::vector<float>{-0.0F, NAN, NAN, 3})});
  CHECK(std::signbit(kept[0].values<float>()[0]));
  CHECK(kept[0].values<float>()[1] == 0);
  CHECK(std::isnan(kept[0].values<float>()[2]));
  CHECK(kept[0].values<float>()[3] == 3);
  CHECK(std::isinf(Slope([](const Tensor& x) { return sqrt(x); }, {0}).slope[0]));
}

TEST_CASE("NaN differs from itself at every SIMD level") {
  const Tensor x = make_input("x", {DType::float32, {20}});
  Array values({20}, std::vector<float>(20, 1));
  values.mutable_values<float>()[3] = NAN;
  for (const std::string& level : kernels::simd_levels()) {
    REQUIRE(kernels::select_simd(level));
    INFO(level);
    const Array found =
        compile(make_program("nan", {x}, {convert(is_nan(x), DType::int32)})).run(std::vector<Array>{values})[0];
    for (std::size_t i = 0; i < 20; ++i) CHECK(found.values<std::int32_t>()[i] == (i == 3));
  }
  REQUIRE(kernels::select_simd(kernels::simd_levels().front()));
}

TEST_CASE("powers have their true derivatives at 0") {
  CHECK(Slope([](const Tensor& x) { return power(x, 0); }, {0, 2}).slope == std::vector<float>{0, 0});
  CHECK(Slope([](const Tensor& x) { return power(x, 1); }, {0, 2}).slope == std::vector<float>{1, 1});
  CHECK(Slope([](const Tensor& x) { return power(x, 2); }, {0, 2}).slope == std::vector<float>{0, 4});
  CHECK(Slope([](const Tensor& b) { return power(0, b); }, {2, 3}).slope == std::vector<float>{0, 0});
  const Slope second([](const Tensor& x) { return slope_of(sum(power(x, 2)), x); }, {0, 3});
  CHECK(second.slope == std::vector<float>{2, 2});
}

TEST_CASE("clamp has derivative 1 within its bounds, and NaN stays") {
  const Slope slope([](const Tensor& x) { return clamp(x, -1, 2); }, {-3, -1, 0, 2, 5, NAN});
  CHECK(std::vector<float>(slope.value.begin(), slope.value.end() - 1) == std::vector<float>{-1, -1, 0, 2, 2});
  CHECK(std::isnan(slope.value[5]));
  CHECK(slope.slope == std::vector<float>{0, 0, 1, 0, 0, 0});
}

TEST_CASE("norm, rms and normalize are right from the smallest numbers to the largest, with derivative 0 at 0") {
  for (const float size : {1e-30F, 1e-3F, 1.0F, 1e30F}) {
    INFO(size);
    const std::vector<float> x{3 * size, 0, -4 * size, 0};
    const Slope norms([](const Tensor& t) { return norm(t); }, x);
    CHECK(norms.value[0] / size == Approx(5).epsilon(1e-6));
    CHECK(norms.slope[0] == Approx(0.6).epsilon(1e-6));
    CHECK(norms.slope[1] == 0);
    CHECK(norms.slope[2] == Approx(-0.8).epsilon(1e-6));
    CHECK(Slope([](const Tensor& t) { return rms(t); }, x).value[0] / size == Approx(2.5).epsilon(1e-6));
    const Slope unit([](const Tensor& t) { return normalize(t); }, x);
    CHECK(unit.value[0] == Approx(0.6).epsilon(1e-6));
    CHECK(unit.value[2] == Approx(-0.8).epsilon(1e-6));
  }
  const std::vector<float> zeros(3, 0);
  for (const auto& f : std::vector<std::function<Tensor(const Tensor&)>>{
           [](const Tensor& t) { return norm(t); }, [](const Tensor& t) { return rms(t); },
           [](const Tensor& t) { return normalize(t); }}) {
    CHECK(Slope(f, zeros).value[0] == 0);
    CHECK(Slope(f, zeros).slope == zeros);
  }
  // Along an axis, each by itself.
  const Tensor x = make_input("x", {DType::float32, {2, 2}});
  const std::vector<Array> result = compile(make_program("norm", {x}, {norm(x, {1})}))
                                        .run(std::vector<Array>{Array({2, 2}, std::vector<float>{3, 4, 0, 0})});
  CHECK(result[0] == Array({2}, std::vector<float>{5, 0}));
}
