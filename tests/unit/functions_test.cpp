// Elementwise functions at every SIMD level: what is not finite, and how near they are over the whole range.
#include "kernels/simd.h"
#include "unit/support.h"

#include "catch.h"

using namespace lopt;
using namespace lopt::test;

namespace {

void check_special_values() {
  const float inf = INFINITY, nan = NAN;
  const std::vector<float> special{nan, inf, -inf,  0.0F,    -0.0F, 1e-42F, -1e-42F,
                                   1,   -1,  88.8F, -104.5F, 3e38F, 1e-8F,  0.99999994F};
  const Tensor x = make_input("x", {DType::float32, {std::ssize(special)}});
  const std::vector<std::pair<std::string, Tensor>> functions{{"exp", exp(x)},
                                                              {"log", log(x)},
                                                              {"log1p", log1p(x)},
                                                              {"sqrt", sqrt(x)},
                                                              {"rsqrt", rsqrt(x)},
                                                              {"tanh", tanh(x)},
                                                              {"sigmoid", sigmoid(x)},
                                                              {"erf", erf(x)},
                                                              {"sin", sin(x)},
                                                              {"cos", cos(x)},
                                                              {"power", power(x, 3)},
                                                              {"power of", power(2, x)},
                                                              {"softplus", softplus(x)},
                                                              {"relu", relu(x)},
                                                              {"sign", sign(x)},
                                                              {"abs", abs(x)},
                                                              {"floor", floor(x)},
                                                              {"maximum", maximum(x, 0.5)},
                                                              {"minimum", minimum(x, 0.5)},
                                                              {"less", convert(x < 1, DType::float32)},
                                                              {"less_equal", convert(x <= 1, DType::float32)},
                                                              {"equal", convert(x == floor(x), DType::float32)},
                                                              {"divide", 1 / x}};
  for (const auto& [name, y] : functions) {
    const Program program = make_program(name, {x}, {y});
    const std::vector<Array> values{Array({std::ssize(special)}, special)};
    const Array planned = compile(program).run(values)[0], reference = evaluate_reference(program, values)[0];
    for (std::size_t i = 0; i < special.size(); ++i) {
      INFO(name << " of " << special[i]);
      CHECK(ulps(planned.values<float>()[i], reference.values<float>()[i]) <= 4);
    }
  }
}

void check_whole_range() {
  std::vector<float> values;
  for (std::uint32_t bits = 0; bits < 0xff800000U; bits += 9973) values.push_back(std::bit_cast<float>(bits));
  const Tensor x = make_input("x", {DType::float32, {std::ssize(values)}});
  struct Function {
    const char* name;
    Tensor y;
    double (*exact)(double);
  };
  for (const Function& f :
       {Function{"exp", exp(x), [](double v) { return std::exp(v); }},
        Function{"log", log(x), [](double v) { return std::log(v); }},
        Function{"log1p", log1p(x), [](double v) { return std::log1p(v); }},
        Function{"tanh", tanh(x), [](double v) { return std::tanh(v); }},
        Function{"sigmoid", sigmoid(x),
                 [](double v) { return v < 0 ? std::exp(v) / (1 + std::exp(v)) : 1 / (1 + std::exp(-v)); }},
        Function{"erf", erf(x), [](double v) { return std::erf(v); }},
        Function{"softplus", softplus(x),
                 [](double v) { return v > 0 ? v + std::log1p(std::exp(-v)) : std::log1p(std::exp(v)); }},
        Function{"sin", sin(x), [](double v) { return std::sin(v); }},
        Function{"cos", cos(x), [](double v) { return std::cos(v); }},
        Function{"power", power(x, 0.37), [](double v) { return std::pow(v, 0.37F); }},
        Function{"power of", power(0.9, x), [](double v) { return std::pow(0.9F, v); }},
        Function{"power -3", power(x, -3), [](double v) { return std::pow(v, -3); }},
        Function{"rsqrt", rsqrt(x), [](double v) { return 1 / std::sqrt(v); }},
        Function{"sqrt", sqrt(x), [](double v) { return std::sqrt(v); }}}) {
    const Array y = compile(make_program(f.name, {x}, {f.y})).run(std::vector<Array>{Array(x.shape(), values)})[0];
    std::int64_t worst = 0;
    float where_worst = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      const std::int64_t error =
          ulps(y.values<float>()[i], static_cast<float>(f.exact(static_cast<double>(values[i]))));
      if (error > worst) {
        worst = error;
        where_worst = values[i];
      }
    }
    INFO(f.name << " at " << where_worst);
    CHECK(worst <= 4);
  }
}

/// At every SIMD level that the processor has.
template <class Function>
void at_each_level(Function f) {
  for (const std::string& level : kernels::simd_levels()) {
    INFO(level);
    REQUIRE(kernels::select_simd(level));
    f();
  }
  REQUIRE(kernels::select_simd(kernels::simd_levels().front()));
}

}  // namespace

TEST_CASE("an element's value does not depend on what stands beside it") {
  at_each_level([] {
    const std::vector<float> usual{0.1F, 0.7F, 1, 1.3F, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 377};
    const Tensor x = make_input("x", {DType::float32, {std::ssize(usual)}});
    for (const Tensor& y : {sin(x), cos(x), power(x, 0.37), power(0.9, x), exp(x), log(x), log1p(x), tanh(x),
                            sigmoid(x), erf(x), rsqrt(x)}) {
      const Executable program = compile(make_program("f", {x}, {y}));
      const Array expected = program.run(std::vector<Array>{Array(x.shape(), usual)})[0];
      for (const float odd : {NAN, INFINITY, -1.0F, 0.0F, 1e30F}) {
        std::vector<float> values = usual;
        values[5] = odd;
        const Array found = program.run(std::vector<Array>{Array(x.shape(), values)})[0];
        for (std::size_t i = 0; i < usual.size(); ++i)
          if (i != 5) CHECK(found.values<float>()[i] == expected.values<float>()[i]);
      }
    }
  });
}
TEST_CASE("NaN and infinity go through functions as IEEE says") { at_each_level(check_special_values); }
TEST_CASE("functions are within 4 ulp over the whole range") { at_each_level(check_whole_range); }
