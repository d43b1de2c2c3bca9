#include "unit/primitive_cases.h"

#include "unit/support.h"

#include <lopt/networks.h>

namespace lopt::test {
namespace {

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

}  // namespace

std::vector<Case> all_cases() {
  std::vector<Case> all = unary_cases();
  for (auto list : {binary_cases(), array_cases()}) all.insert(all.end(), list.begin(), list.end());
  return all;
}

}  // namespace lopt::test
