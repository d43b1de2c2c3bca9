// Every primitive: planned against reference executor, gradient against finite differences in float64, second order
// too.
#include "gradient/gradient.h"
#include "unit/support.h"

#include <lopt/networks.h>

#include "catch.h"
#include "bridge/written_program.h"

#include <functional>
#include <set>

using namespace lopt;
using namespace lopt::test;

namespace {

struct Case {
  std::string name;  // the primitive that it is about
  std::vector<Type> inputs;
  std::function<Tensor(const std::vector<Tensor>&)> f;
  double low = -2, high = 2;  // range of real inputs
  bool smooth = true;         // differentiable, and everywhere in the range
};

Type real(Shape shape) { return {DType::float32, std::move(shape)}; }
Type integer(Shape shape) { return {DType::int32, std::move(shape)}; }
Type word(Shape shape) { return {DType::uint32, std::move(shape)}; }
Type boolean(Shape shape) { return {DType::boolean, std::move(shape)}; }

std::vector<Case> unary_cases() {
  using T = const std::vector<Tensor>&;
  return {
      {"negate", {real({37})}, [](T x) { return -x[0]; }},
      {"exp", {real({3, 37})}, [](T x) { return exp(x[0]); }},
      {"log", {real({40})}, [](T x) { return log(x[0]); }, 0.1, 3},
      {"log1p", {real({40})}, [](T x) { return log1p(x[0]); }, -0.9, 3},
      {"expm1", {real({40})}, [](T x) { return expm1(x[0]); }},
      {"sqrt", {real({40})}, [](T x) { return sqrt(x[0]); }, 0.1, 3},
      {"rsqrt", {real({40})}, [](T x) { return rsqrt(x[0]); }, 0.1, 3},
      {"tanh", {real({40})}, [](T x) { return tanh(x[0]); }},
      {"sin", {real({40})}, [](T x) { return sin(x[0]); }},
      {"cos", {real({40})}, [](T x) { return cos(x[0]); }},
      {"sigmoid", {real({40})}, [](T x) { return sigmoid(x[0]); }},
      {"erf_inv", {real({40})}, [](T x) { return erf_inv(x[0]); }, -0.9, 0.9},
      {"erf", {real({40})}, [](T x) { return erf(x[0]); }},
      {"tanh", {real({40})}, [](T x) { return gelu(x[0]); }},
      {"erf", {real({40})}, [](T x) { return exact_gelu(x[0]); }},
      {"sigmoid", {real({40})}, [](T x) { return silu(x[0]); }},
      {"log1p", {real({40})}, [](T x) { return softplus(x[0]); }, 0.1, 2},
      {"select", {real({40})}, [](T x) { return leaky_relu(x[0], 0.1); }, -2, -0.1},
      {"relu", {real({40})}, [](T x) { return relu(x[0]); }, 0.1, 2},
      {"relu", {real({40})}, [](T x) { return relu(x[0]); }, -2, -0.1},
      {"abs", {real({40})}, [](T x) { return abs(x[0]); }, 0.1, 2},
      {"abs", {integer({40})}, [](T x) { return abs(x[0]); }, -9, 9, false},
      {"sign", {real({40})}, [](T x) { return sign(x[0]); }, -2, 2, false},
      {"floor", {real({40})}, [](T x) { return floor(x[0]); }, -5, 5, false},
      {"not", {boolean({40})}, [](T x) { return logical_not(x[0]); }, -2, 2, false},
      {"convert", {real({40})}, [](T x) { return convert(x[0], DType::int32); }, -5, 5, false},
      {"convert", {integer({40})}, [](T x) { return convert(x[0], DType::float32); }, -5, 5, false},
      {"convert", {boolean({40})}, [](T x) { return convert(x[0], DType::float32); }, -5, 5, false},
      {"convert", {word({40})}, [](T x) { return convert(x[0], DType::float32); }, -5, 5, false},
      {"bitcast", {real({40})}, [](T x) { return bitcast(x[0], DType::uint32); }, -5, 5, false},
      {"stop_gradient", {real({4}), real({4})}, [](T x) { return stop_gradient(x[0]) * x[1]; }, -2, 2, false},
  };
}

std::vector<Case> binary_cases() {
  using T = const std::vector<Tensor>&;
  return {
      {"add", {real({5, 7}), real({7})}, [](T x) { return x[0] + x[1]; }},
      {"subtract", {real({5, 7}), real({5, 1})}, [](T x) { return x[0] - x[1]; }},
      {"multiply", {real({5, 7}), real({})}, [](T x) { return x[0] * x[1]; }},
      {"where_positive",
       {real({20}), real({20})},
       [](T x) { return where_positive(stop_gradient(x[0]), x[1] * x[1]); }},
      {"multiply_add", {real({20}), real({20}), real({})}, [](T x) { return multiply_add(x[0], x[1], x[2]); }},
      {"divide", {real({3, 1, 4}), real({2, 1})}, [](T x) { return x[0] / x[1]; }, 0.5, 2},
      {"clamp", {real({20})}, [](T x) { return clamp(x[0] * x[0], -1, 9); }},
      {"strong_zero", {real({20}), real({20})}, [](T x) { return strong_zero(stop_gradient(x[0]), x[1] * x[1]); }},
      {"power", {real({20}), real({20})}, [](T x) { return power(x[0], x[1]); }, 0.5, 2},
      {"maximum", {real({20}), real({20})}, [](T x) { return maximum(x[0], x[1] + 4); }},
      {"minimum", {real({20}), real({20})}, [](T x) { return minimum(x[0], x[1] + 4); }},
      {"add", {integer({9}), integer({9})}, [](T x) { return x[0] + x[1] * x[0] - x[1]; }, -9, 9, false},
      {"remainder", {word({40}), word({40})}, [](T x) { return remainder(x[0], x[1]); }, 0, 9, false},
      {"remainder", {integer({40}), integer({40})}, [](T x) { return remainder(x[0], x[1]); }, -9, 9, false},
      {"quotient", {word({40}), word({40})}, [](T x) { return quotient(x[0], x[1]); }, 0, 9, false},
      {"quotient", {integer({40}), integer({40})}, [](T x) { return quotient(x[0], x[1]); }, -99, 9, false},
      {"equal", {integer({40}), integer({40})}, [](T x) { return x[0] == x[1]; }, -2, 2, false},
      {"not_equal", {integer({40}), integer({40})}, [](T x) { return x[0] != x[1]; }, -2, 2, false},
      {"less", {real({40}), real({40})}, [](T x) { return x[0] < x[1]; }, -2, 2, false},
      {"less_equal", {integer({40}), integer({40})}, [](T x) { return x[0] <= x[1]; }, -2, 2, false},
      {"and", {boolean({40}), boolean({40})}, [](T x) { return x[0] & x[1]; }, -2, 2, false},
      {"or", {word({40}), word({40})}, [](T x) { return x[0] | x[1]; }, -2, 2, false},
      {"xor", {integer({40}), integer({40})}, [](T x) { return x[0] ^ x[1]; }, -2, 2, false},
      {"shift_left", {word({40})}, [](T x) { return shift_left(x[0], 5); }, -2, 2, false},
      {"shift_right", {word({40})}, [](T x) { return shift_right(x[0], 9); }, -2, 2, false},
      {"select", {boolean({20}), real({20}), real({20})}, [](T x) { return where(x[0], x[1] * x[1], x[2]); }},
  };
}

std::vector<Case> array_cases() {
  using T = const std::vector<Tensor>&;
  return {
      {"reshape",
       {real({4, 6})},
       [](T x) {
         return reshape(x[0], {3, -1});
       }},
      {"broadcast",
       {real({4, 1})},
       [](T x) {
         return broadcast_to(x[0], {2, 4, 3}) * x[0];
       }},
      {"transpose",
       {real({3, 4, 5})},
       [](T x) {
         return transpose(x[0], {2, 0, 1});
       }},
      {"slice",
       {real({9, 5})},
       [](T x) {
         return slice(x[0], {1, 0}, {8, 4}, {3, 2});
       }},
      {"slice",
       {real({20, 5})},
       [](T x) {
         return slice(exp(x[0]), {0, 1}, {20, 3});
       }},
      {"pad",
       {real({20, 2})},
       [](T x) {
         return pad(x[0] * x[0], {0, 1}, {0, 2});
       }},
      {"pad",
       {real({2, 3})},
       [](T x) {
         return pad(x[0], {1, 0}, {2, 1});
       }},
      {"concatenate",
       {real({20, 2}), real({20, 3})},
       [](T x) {
         return concatenate({x[0], exp(x[1])}, 1);
       }},
      {"concatenate",
       {real({2, 3}), real({4, 3})},
       [](T x) {
         return concatenate({x[0], x[1]}, 0);
       }},
      {"sum", {real({20, 6})}, [](T x) { return sum(x[0] * x[0], {1}); }},
      {"sum", {real({200, 6})}, [](T x) { return sum(x[0] * x[0], {0}); }},
      {"sum", {real({3, 4, 5})}, [](T x) { return sum(x[0], {1}); }},
      {"sum",
       {real({3, 4, 5})},
       [](T x) {
         return sum(x[0], {0, 2});
       }},
      {"sum", {real({300})}, [](T x) { return sum(exp(x[0])); }},
      {"sum", {integer({3, 40})}, [](T x) { return sum(x[0], {1}); }, -9, 9, false},
      {"max", {real({20, 6})}, [](T x) { return max(exp(x[0]), {1}); }},
      {"max", {real({6, 20})}, [](T x) { return max(x[0], {0}); }},
      {"max", {integer({6, 20})}, [](T x) { return max(x[0], {1}); }, -9, 9, false},
      {"matmul", {real({5, 7}), real({7, 3})}, [](T x) { return matmul(x[0], x[1]); }},
      {"matmul",
       {real({200, 3}), real({3, 9}), real({9}), real({9, 2})},
       [](T x) { return matmul(tanh(matmul(x[0], x[1]) + x[2]), x[3]); }},
      {"matmul", {real({4, 5, 6}), real({6, 2})}, [](T x) { return matmul(x[0], x[1]); }},
      {"matmul", {real({5, 70}), real({70, 33})}, [](T x) { return matmul(x[0], x[1]); }},
      {"matmul", {real({20, 700}), real({700, 33})}, [](T x) { return matmul(x[0], x[1]) * 0.04; }},
      {"batched_matmul", {real({3, 4, 5}), real({3, 5, 2})}, [](T x) { return matmul(x[0], x[1]); }},
      {"batched_matmul", {real({2, 1, 4, 5}), real({3, 5, 2})}, [](T x) { return matmul(x[0], x[1]); }},
      {"batched_matmul", {real({4, 5}), real({2, 5, 3})}, [](T x) { return matmul(x[0], x[1]); }},
      {"batched_matmul", {real({5}), real({2, 5, 3})}, [](T x) { return matmul(x[0], x[1]); }},
      {"batched_matmul",
       {real({2, 6, 3, 4}), real({2, 6, 3, 4})},
       [](T x) {
         const Tensor a = transpose(x[0], {0, 2, 1, 3}), b = transpose(x[1], {0, 2, 3, 1});
         return matmul(a, b);
       }},
      {"windows", {real({2, 5, 6, 3}), real({3, 2, 3, 4})}, [](T x) { return convolution(x[0], x[1]); }},
      {"windows",
       {real({2, 7, 8, 2}), real({3, 3, 1, 4})},
       [](T x) {
         return convolution(
             x[0], x[1],
             {.stride = {2, 3}, .dilation = {2, 1}, .padding = Padded::by, .before = {2, 1}, .after = {0, 3}}, 2);
       }},
      {"windows",
       {real({1, 5, 5, 2}), real({2, 2, 2, 3})},
       [](T x) {
         return convolution(x[0], x[1], {.stride = {2, 2}, .padding = Padded::valid});
       }},
      {"windows", {real({3, 4, 4, 2}), real({1, 1, 2, 3})}, [](T x) { return convolution(x[0], x[1]); }},
      {"max",
       {real({2, 5, 4, 3})},
       [](T x) {
         return max_pool(x[0], 2, 2, {.stride = {2, 2}});
       }},
      {"sum",
       {real({2, 5, 4, 3})},
       [](T x) {
         return mean_pool(x[0], 3, 2, {.stride = {2, 1}});
       }},
      {"add_windows",
       {real({2, 4, 5, 2}), real({2, 2, 2, 3})},
       [](T x) { return gradient(sum(square(convolution(x[0], x[1]))), std::vector<Tensor>{x[0]})[0]; }},
      {"cumulative_sum", {real({3, 5, 2})}, [](T x) { return cumulative_sum(x[0] * x[0], 1); }},
      {"cumulative_sum", {integer({3, 5})}, [](T x) { return cumulative_sum(x[0], -1); }, -9, 9, false},
      {"argsort", {real({3, 5, 2})}, [](T x) { return argsort(x[0], 1); }, -2, 2, false},
      {"argsort", {integer({3, 9})}, [](T x) { return argsort(x[0], -1, true); }, -3, 3, false},
      {"argsort", {real({4, 9})}, [](T x) { return sort(x[0], 0) * x[0]; }},
      {"argsort", {real({4, 9})}, [](T x) { return top_k(x[0], 3).values; }},
      {"gather_rows", {real({4, 9})}, [](T x) { return reversed(x[0] * x[0], 1); }},
      {"maximum", {real({3, 7})}, [](T x) { return cumulative_max(x[0], 1); }},
      {"multiply", {real({3, 7, 2})}, [](T x) { return cumulative_prod(x[0], 1); }},
      {"gather_rows", {real({3, 5, 2}), integer({4})}, [](T x) { return gather(x[0], x[1], 1); }, 0, 4},
      {"gather_rows", {real({5, 2}), integer({3, 2})}, [](T x) { return gather(x[0], x[1], 0); }, 0, 4},
      {"scatter_add_rows", {real({2, 3}), integer({3})}, [](T x) { return scatter_add(x[0], x[1], 4, 1); }, 0, 3},
      {"gather_rows", {real({4, 5}), integer({4})}, [](T x) { return take_along(x[0], x[1]); }, -1, 6},
      {"select", {real({2, 4, 5})}, [](T x) { return lower_triangle(x[0]) * upper_triangle(x[0], -1); }},
      {"multiply",
       {real({3, 5, 2})},
       [](T x) {
         return prod(x[0], {1, 2});
       }},
      {"max", {real({6, 20})}, [](T x) { return min(x[0], {1}); }},
      {"sum", {real({6, 20})}, [](T x) { return variance(x[0], {1}); }},
      {"sum", {real({6, 20})}, [](T x) { return log_sum_exp(30 * x[0], {0}) * 0.1; }},
      {"max", {real({6, 20})}, [](T x) { return argmax(x[0], 0); }, -2, 2, false},
      {"max", {integer({6, 20})}, [](T x) { return argmax(x[0], 1); }, -3, 3, false},
      {"gather_rows", {real({5, 3}), integer({7})}, [](T x) { return gather_rows(x[0], x[1]); }, -1, 6},
      {"scatter_add_rows", {real({7, 3}), integer({7})}, [](T x) { return scatter_add_rows(x[0], x[1], 4); }, 0, 4},
      {"sum", {real({20, 5})}, [](T x) { return log_softmax(x[0]); }},
      {"sum", {real({20, 5})}, [](T x) { return softmax(x[0]); }},
      {"random_bits", {word({2})}, [](T x) { return random_bits({x[0]}, {5}); }, -2, 2, false},
      {"split", {word({2})}, [](T x) { return split({x[0]}, 3)[1].bits; }, -2, 2, false},
      {"fold_in", {word({2})}, [](T x) { return fold_in({x[0]}, 5).bits; }, -2, 2, false},
  };
}

std::vector<Case> all_cases() {
  std::vector<Case> all = unary_cases();
  for (auto list : {binary_cases(), array_cases()}) all.insert(all.end(), list.begin(), list.end());
  return all;
}

struct Traced {
  std::vector<Tensor> inputs;
  std::vector<Array> values;
};
Traced inputs_of(const Case& c, std::mt19937& random) {
  Traced result;
  for (const Type& type : c.inputs) {
    result.inputs.push_back(make_input("x", type));
    result.values.push_back(random_array(random, type, c.low, c.high));
  }
  return result;
}

void require_planned_is_reference(const Program& program, const std::vector<Array>& values) {
  const std::vector<Array> planned = compile(program).run(values), reference = evaluate_reference(program, values);
  for (std::size_t i = 0; i < planned.size(); ++i) {
    INFO(to_text(program));
    REQUIRE(difference(planned[i], reference[i]) < 2e-5);
  }
}

/// Compares the gradient of a scalar function with central differences, all in float64.
void require_gradient(const Tensor& loss, const Traced& at, double tolerance) {
  std::vector<Tensor> reals;
  std::vector<std::size_t> which;
  for (std::size_t i = 0; i < at.inputs.size(); ++i)
    if (at.inputs[i].dtype() == DType::float32) {
      reals.push_back(at.inputs[i]);
      which.push_back(i);
    }
  const Program value = make_program("value", at.inputs, {loss});
  const Program slope = make_program("slope", at.inputs, gradient(loss, reals));
  std::vector<std::vector<double>> x;
  for (const Array& array : at.values) x.push_back(as_doubles(array));
  const auto gradients = evaluate_float64(slope, x);
  for (std::size_t k = 0; k < which.size(); ++k)
    for (std::size_t element = 0; element < x[which[k]].size(); element += 1 + x[which[k]].size() / 12) {
      const double step = 1e-5, centre = x[which[k]][element];
      x[which[k]][element] = centre + step;
      const double above = evaluate_float64(value, x)[0][0];
      x[which[k]][element] = centre - step;
      const double below = evaluate_float64(value, x)[0][0];
      x[which[k]][element] = centre;
      const double expected = (above - below) / (2 * step);
      INFO("input " << which[k] << " element " << element);
      REQUIRE(gradients[k][element] == Approx(expected).epsilon(tolerance).margin(tolerance));
    }
  require_planned_is_reference(slope, at.values);
}

/// Σ weights · y: a scalar in which every element of y counts differently.
Tensor weighted(const Tensor& y) {
  std::vector<float> weights;
  for (std::int64_t i = 0; i < element_count(y.shape()); ++i)
    weights.push_back(0.5F + 0.25F * static_cast<float>(i % 5));
  return sum(y * Tensor(Array(y.shape(), weights)));
}

}  // namespace

TEST_CASE("every primitive runs planned as in the reference executor") {
  std::mt19937 random(1);
  for (const Case& c : all_cases()) {
    INFO(c.name);
    const Traced traced = inputs_of(c, random);
    require_planned_is_reference(make_program(c.name, traced.inputs, {c.f(traced.inputs)}), traced.values);
  }
}

TEST_CASE("gradients equal finite differences in float64, of the second order too") {
  std::mt19937 random(2);
  for (const Case& c : all_cases()) {
    if (!c.smooth) continue;
    INFO(c.name);
    const Traced traced = inputs_of(c, random);
    const Tensor loss = weighted(c.f(traced.inputs));
    require_gradient(loss, traced, 2e-6);
    std::vector<Tensor> reals;
    for (const Tensor& x : traced.inputs)
      if (x.dtype() == DType::float32) reals.push_back(x);
    Tensor slope = Tensor(0.0);
    for (const Tensor& g : gradient(loss, reals)) slope = slope + sum(square(g)) * 0.1 + weighted(g);
    require_gradient(slope, traced, 2e-5);
  }
}

TEST_CASE("tangents equal finite differences in float64, and ⟨u, J v⟩ is ⟨Jᵀ u, v⟩") {
  std::mt19937 random(8);
  for (const Case& c : all_cases()) {
    const Traced traced = inputs_of(c, random);
    const Tensor y = c.f(traced.inputs);
    if (y.dtype() != DType::float32) continue;
    INFO(c.name);
    std::vector<Tensor> reals, directions;
    std::vector<Array> way;
    for (const Tensor& x : traced.inputs) {
      if (x.dtype() != DType::float32) continue;
      reals.push_back(x);
      way.push_back(random_array(random, x.type(), -1, 1));
      directions.emplace_back(way.back());
    }
    const Array u = random_array(random, y.type(), -1, 1);
    const std::vector<Tensor> forward = jacobian_vector({y}, reals, directions),
                              backward = vector_jacobian({y}, {Tensor(u)}, reals);
    Tensor inner = Tensor(0.0), expected = Tensor(0.0);
    if (forward[0]) {
      CHECK(forward[0].type() == y.type());
      inner = sum(forward[0] * Tensor(u));
    }
    for (std::size_t i = 0; i < reals.size(); ++i)
      if (backward[i]) expected = expected + sum(backward[i] * directions[i]);
    CHECK(static_cast<bool>(forward[0]) ==
          std::any_of(backward.begin(), backward.end(), [](const Tensor& g) { return static_cast<bool>(g); }));
    std::vector<std::vector<double>> at;
    for (const Array& value : traced.values) at.push_back(as_doubles(value));
    const auto products = evaluate_float64(make_program("products", traced.inputs, {inner, expected}), at);
    CHECK(products[0][0] == Approx(products[1][0]).epsilon(1e-9).margin(1e-9));
    if (!forward[0]) continue;
    require_planned_is_reference(make_program(c.name, traced.inputs, {forward[0]}), traced.values);
    if (!c.smooth) continue;
    constexpr double step = 1e-6;
    auto above = at, below = at;
    std::size_t real = 0;
    for (std::size_t i = 0; i < at.size(); ++i) {
      if (traced.inputs[i].dtype() != DType::float32) continue;
      const std::vector<double> along = as_doubles(way[real++]);
      for (std::size_t k = 0; k < along.size(); ++k) {
        above[i][k] += step * along[k];
        below[i][k] -= step * along[k];
      }
    }
    const Program value = make_program("value", traced.inputs, {y});
    const auto tangent = evaluate_float64(make_program("tangent", traced.inputs, {forward[0]}), at)[0],
               high = evaluate_float64(value, above)[0], low = evaluate_float64(value, below)[0];
    for (std::size_t k = 0; k < tangent.size(); ++k)
      CHECK(tangent[k] == Approx((high[k] - low[k]) / (2 * step)).epsilon(2e-6).margin(2e-6));
  }
}

TEST_CASE("forward over reverse gives the product with the Hessian that reverse over reverse gives") {
  std::mt19937 random(9);
  for (const Case& c : all_cases()) {
    if (!c.smooth) continue;
    INFO(c.name);
    const Traced traced = inputs_of(c, random);
    const Tensor loss = weighted(square(c.f(traced.inputs)));
    std::vector<Tensor> reals, directions;
    for (const Tensor& x : traced.inputs)
      if (x.dtype() == DType::float32) {
        reals.push_back(x);
        directions.emplace_back(random_array(random, x.type(), -1, 1));
      }
    const std::vector<Tensor> slopes = gradient(loss, reals), forward = jacobian_vector(slopes, reals, directions);
    Tensor along = Tensor(0.0);
    for (std::size_t i = 0; i < reals.size(); ++i) along = along + sum(slopes[i] * directions[i]);
    const std::vector<Tensor> expected = gradient(along, reals);
    std::vector<std::vector<double>> at;
    for (const Array& value : traced.values) at.push_back(as_doubles(value));
    for (std::size_t i = 0; i < reals.size(); ++i) {
      const auto both = evaluate_float64(
          make_program("both", traced.inputs, {forward[i] ? forward[i] : zeros_like(reals[i]), expected[i]}), at);
      for (std::size_t k = 0; k < both[0].size(); ++k)
        CHECK(both[0][k] == Approx(both[1][k]).epsilon(1e-8).margin(1e-8));
    }
  }
}

TEST_CASE("each primitive is named in this file") {
  std::set<std::string> covered;
  for (const Case& c : all_cases()) covered.insert(c.name);
  // What the functions of the SDK can put into programs, found by tracing all cases and their gradients.
  std::set<std::string> used;
  std::mt19937 random(3);
  for (const Case& c : all_cases()) {
    const Traced traced = inputs_of(c, random);
    for (const Operation& operation : make_program("p", traced.inputs, {c.f(traced.inputs)}).operations)
      used.insert(std::string(operation.primitive->name));
  }
  used.erase("input");
  used.erase("constant");
  for (const std::string& name : used) {
    INFO(name);
    CHECK(covered.contains(name));
  }
  CHECK(covered.size() >= 45);
}

TEST_CASE("programs that were written down and read again compute the same bits, and so do their gradients") {
  std::mt19937 random(5);
  for (const Case& c : all_cases()) {
    INFO(c.name);
    const Traced traced = inputs_of(c, random);
    const Tensor value = c.f(traced.inputs);
    TracerMessage message;
    const std::vector<std::size_t> numbers = write_nodes(message, traced.inputs, {value});
    std::vector<Tensor> inputs;
    for (const Tensor& x : traced.inputs) inputs.push_back(make_input("x", x.type()));
    const Tensor again = read_nodes(decode(encode(message)), inputs).at(numbers.at(0));
    const auto results = [&](const std::vector<Tensor>& given, const Tensor& result) {
      std::vector<Tensor> all{result};
      if (c.smooth)
        for (const Tensor& x : given)
          if (x.dtype() == DType::float32) all.push_back(gradient(sum(square(result)), std::vector<Tensor>{x})[0]);
      return evaluate_reference(make_program(c.name, given, all), traced.values);
    };
    CHECK(results(traced.inputs, value) == results(inputs, again));
  }
}

TEST_CASE("order: NaN comes last, and equal elements stay in their order") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Tensor x(Array({6}, std::vector<float>{2, nan, 1, 2, -1, 1}));
  const auto places = [](const Tensor& t) {
    const Array made = evaluate_reference(make_program("p", {}, {t}), {})[0];
    return std::vector<std::int32_t>(made.values<std::int32_t>().begin(), made.values<std::int32_t>().end());
  };
  CHECK(places(argsort(x)) == std::vector<std::int32_t>{4, 2, 5, 0, 3, 1});
  CHECK(places(argsort(x, 0, true)) == std::vector<std::int32_t>{0, 3, 2, 5, 4, 1});
  CHECK(places(top_k(x, 2).places) == std::vector<std::int32_t>{0, 3});
}

TEST_CASE("ties of maximum share the gradient, as in JAX") {
  const Tensor x = make_input("x", real({2})), y = make_input("y", real({2}));
  const Program program = make_program("p", {x, y}, gradient(sum(maximum(x, y)), {x, y}));
  const std::vector<Array> values{Array({2}, std::vector<float>{1, 3}), Array({2}, std::vector<float>{1, 2})};
  const std::vector<Array> g = compile(program).run(values);
  CHECK(g[0].values<float>()[0] == 0.5F);
  CHECK(g[1].values<float>()[0] == 0.5F);
  CHECK(g[0].values<float>()[1] == 1);
  CHECK(g[1].values<float>()[1] == 0);
}
