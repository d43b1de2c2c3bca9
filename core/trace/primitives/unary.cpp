// Functions of one tensor, element by element.
#include "random/erf_inv.h"
#include "trace/primitives/elementwise.h"
#include "trace/primitives/by_name.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numbers>

namespace lopt {
namespace {

Type real_type(std::span<const Type> x, const Attributes&) {
  if (x[0].dtype != DType::float32)
    throw ShapeError(fmt::format("a function of real numbers was given {}", to_text(x[0])));
  return x[0];
}
Type number_type(std::span<const Type> x, const Attributes&) {
  if (x[0].dtype == DType::boolean) throw ShapeError(fmt::format("a number was expected, not {}", to_text(x[0])));
  return x[0];
}
using Grads = std::vector<Tensor>;

// One row a primitive: name, type, dx from (dy, y, x), scalar function.
// Where a derivative may be infinite, a cotangent of exactly 0 gives 0 all the same: strong_zero.
const Primitive negate_row = elementwise<1>(
    "negate", number_type, [](const Vjp& v) { return Grads{-v.dy}; },
    [](auto x) {
      if constexpr (Real<decltype(x)>)
        return -x;
      else
        return static_cast<decltype(x)>(0U - static_cast<std::uint32_t>(x));
    });
const Primitive exp_row = elementwise<1>(
    "exp", real_type, [](const Vjp& v) { return Grads{strong_zero(v.dy, v.dy * v.y)}; },
    [](Real auto x) { return std::exp(x); });
const Primitive log_row = elementwise<1>(
    "log", real_type, [](const Vjp& v) { return Grads{strong_zero(v.dy, v.dy / v.x[0])}; },
    [](Real auto x) { return std::log(x); });
const Primitive log1p_row = elementwise<1>(
    "log1p", real_type, [](const Vjp& v) { return Grads{strong_zero(v.dy, v.dy / (1 + v.x[0]))}; },
    [](Real auto x) { return std::log1p(x); });
const Primitive expm1_row = elementwise<1>(
    "expm1", real_type, [](const Vjp& v) { return Grads{strong_zero(v.dy, v.dy * (v.y + 1))}; },
    [](Real auto x) { return std::expm1(x); });
const Primitive sqrt_row = elementwise<1>(
    "sqrt", real_type, [](const Vjp& v) { return Grads{strong_zero(v.dy, v.dy * 0.5 / v.y)}; },
    [](Real auto x) { return std::sqrt(x); });
const Primitive rsqrt_row = elementwise<1>(
    "rsqrt", real_type, [](const Vjp& v) { return Grads{strong_zero(v.dy, v.dy * -0.5 * v.y / v.x[0])}; },
    [](Real auto x) { return 1 / std::sqrt(x); });
const Primitive tanh_row = elementwise<1>(
    "tanh", real_type, [](const Vjp& v) { return Grads{v.dy * (1 - square(v.y))}; },
    [](Real auto x) { return std::tanh(x); });
const Primitive sin_row = elementwise<1>(
    "sin", real_type, [](const Vjp& v) { return Grads{v.dy * cos(v.x[0])}; }, [](Real auto x) { return std::sin(x); });
const Primitive cos_row = elementwise<1>(
    "cos", real_type, [](const Vjp& v) { return Grads{-v.dy * sin(v.x[0])}; }, [](Real auto x) { return std::cos(x); });
const Primitive sigmoid_row = elementwise<1>(
    "sigmoid", real_type, [](const Vjp& v) { return Grads{v.dy * v.y * (1 - v.y)}; },
    [](Real auto x) { return 1 / (1 + std::exp(-x)); });
const Primitive floor_row = elementwise<1>("floor", real_type, nullptr, [](Real auto x) { return std::floor(x); });
const Primitive sign_row = elementwise<1>("sign", real_type, nullptr, [](Real auto x) {
  return x > 0 ? decltype(x)(1) : x < 0 ? decltype(x)(-1) : x;
});
const Primitive abs_row = elementwise<1>(
    "abs", number_type, [](const Vjp& v) { return Grads{v.dy * sign(v.x[0])}; },
    [](auto x) {
      if constexpr (Real<decltype(x)>)
        return std::abs(x);
      else if constexpr (std::is_signed_v<decltype(x)>)
        return x < 0 ? static_cast<decltype(x)>(0U - static_cast<std::uint32_t>(x)) : x;
      else
        return x;
    });
// The derivative at 0 is 0. NaN stays NaN.
const Primitive relu_row = elementwise<1>(
    "relu", real_type, [](const Vjp& v) { return Grads{where_positive(v.y, v.dy)}; },
    [](Real auto x) { return x > 0 || x != x ? x : decltype(x)(0); });
// d erf⁻¹(x)/dx = √π/2 · exp(erf⁻¹(x)²)
const Primitive erf_inv_row = elementwise<1>(
    "erf_inv", real_type,
    [](const Vjp& v) { return Grads{strong_zero(v.dy, v.dy * (std::sqrt(std::numbers::pi) / 2) * exp(square(v.y)))}; },
    [](Real auto x) { return erf_inverse(x); });
// d erf(x)/dx = 2/√π · exp(−x²)
const Primitive erf_row = elementwise<1>(
    "erf", real_type,
    [](const Vjp& v) { return Grads{v.dy * (2 / std::sqrt(std::numbers::pi)) * exp(-square(v.x[0]))}; },
    [](Real auto x) { return std::erf(x); });
const Primitive not_row = elementwise<1>(
    "not",
    [](std::span<const Type> x, const Attributes&) {
      if (x[0].dtype != DType::boolean)
        throw ShapeError(fmt::format("logical_not: bool was expected, not {}", to_text(x[0])));
      return x[0];
    },
    nullptr, [](std::same_as<std::uint32_t> auto x) { return x ^ 1U; });

Type converted(std::span<const Type> x, const Attributes& attributes) {
  return {std::get<DType>(attributes), x[0].shape};
}

/// Real numbers round towards zero; anything but 0 becomes true.
template <class To, class From>
To convert_element(From x, DType to) {
  if (to == DType::boolean) return static_cast<To>(x != 0);
  if constexpr (Real<From> && Integer<To>) {
    if (std::isnan(x)) return 0;
    if (x >= static_cast<From>(std::numeric_limits<To>::max())) return std::numeric_limits<To>::max();
    if (x <= static_cast<From>(std::numeric_limits<To>::min())) return std::numeric_limits<To>::min();
  }
  return static_cast<To>(x);
}
/// A row whose result element depends on the wanted type: f<To>(x, type).
template <class F>
Primitive conversion(std::string_view name, VjpRule vjp, F) {
  Primitive row{.name = name, .type = converted, .vjp = vjp, .fusion = Fusion::elementwise};
  row.loop = [](DType dtype, DType result, const void* const* inputs, void* out, std::size_t n) {
    with_type<float>(dtype, [&](auto from) {
      with_type<float>(result, [&](auto to) {
        const auto* x = static_cast<const decltype(from)*>(inputs[0]);
        std::transform(x, x + n, static_cast<decltype(to)*>(out), [&](auto e) { return F{}(e, to, result); });
      });
    });
  };
  return with_reference(row, []<class R>(ReferenceArguments<R>& call) {
    std::visit(
        [&](const auto& x) {
          with_type<R>(call.type.dtype, [&](auto to) {
            auto result = make_xarray<decltype(to)>(call.type.shape);
            std::transform(x.begin(), x.end(), result.begin(), [&](auto e) { return F{}(e, to, call.type.dtype); });
            call.result = std::move(result);
          });
        },
        *call.inputs[0]);
  });
}
const Primitive convert_row = conversion(
    "convert",
    [](const Vjp& v) {
      return v.x[0].dtype() == DType::float32 && v.dy.dtype() == DType::float32 ? Grads{v.dy} : Grads{Tensor()};
    },
    [](auto x, auto to, DType type) { return convert_element<decltype(to)>(x, type); });
const Primitive bitcast_row = conversion("bitcast", nullptr, [](auto x, auto to, DType) {
  using From = std::conditional_t<Real<decltype(x)>, float, decltype(x)>;
  using To = std::conditional_t<Real<decltype(to)>, float, decltype(to)>;
  return static_cast<decltype(to)>(std::bit_cast<To>(static_cast<From>(x)));
});

}  // namespace

Tensor operator-(const Tensor& a) { return apply(negate_row, {a}); }
Tensor exp(const Tensor& x) { return apply(exp_row, {x}); }
Tensor log(const Tensor& x) { return apply(log_row, {x}); }
Tensor log1p(const Tensor& x) { return apply(log1p_row, {x}); }
Tensor expm1(const Tensor& x) { return apply(expm1_row, {x}); }
Tensor sqrt(const Tensor& x) { return apply(sqrt_row, {x}); }
Tensor rsqrt(const Tensor& x) { return apply(rsqrt_row, {x}); }
Tensor tanh(const Tensor& x) { return apply(tanh_row, {x}); }
Tensor sin(const Tensor& x) { return apply(sin_row, {x}); }
Tensor cos(const Tensor& x) { return apply(cos_row, {x}); }
Tensor sigmoid(const Tensor& x) { return apply(sigmoid_row, {x}); }
Tensor erf_inv(const Tensor& x) { return apply(erf_inv_row, {x}); }
Tensor erf(const Tensor& x) { return apply(erf_row, {x}); }
Tensor floor(const Tensor& x) { return apply(floor_row, {x}); }
Tensor abs(const Tensor& x) { return apply(abs_row, {x}); }
Tensor sign(const Tensor& x) { return apply(sign_row, {x}); }
Tensor logical_not(const Tensor& x) { return apply(not_row, {x}); }
Tensor square(const Tensor& x) { return x * x; }
Tensor relu(const Tensor& x) { return apply(relu_row, {x}); }
Tensor is_nan(const Tensor& x) { return x != x; }  // NOLINT(misc-redundant-expression): NaN alone differs from itself
Tensor convert(const Tensor& x, DType dtype) { return x.dtype() == dtype ? x : apply(convert_row, {x}, dtype); }
Tensor bitcast(const Tensor& x, DType dtype) { return x.dtype() == dtype ? x : apply(bitcast_row, {x}, dtype); }

std::vector<const Primitive*> unary_primitives() {
  return {&negate_row, &exp_row,     &log_row, &log1p_row,   &expm1_row,   &sqrt_row,   &rsqrt_row,
          &tanh_row,   &sin_row,     &cos_row, &sigmoid_row, &floor_row,   &sign_row,   &abs_row,
          &relu_row,   &erf_inv_row, &erf_row, &not_row,     &convert_row, &bitcast_row};
}

}  // namespace lopt
