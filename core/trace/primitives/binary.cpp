// Functions of two tensors, element by element, and the choice between two.
#include "trace/primitives/elementwise.h"
#include "trace/primitives/by_name.h"

#include <fmt/format.h>

#include <cmath>

namespace lopt {
namespace {

using Grads = std::vector<Tensor>;

Type same(std::span<const Type> x, const Attributes&) { return x[0]; }
Type compared(std::span<const Type> x, const Attributes&) { return {DType::boolean, x[0].shape}; }

/// Integers wrap around.
template <class T, class F>
T wrapping(T a, T b, F f) {
  if constexpr (std::is_integral_v<T>)
    return static_cast<T>(f(static_cast<std::uint32_t>(a), static_cast<std::uint32_t>(b)));
  else
    return f(a, b);
}

// One row a primitive: name, type, (da, db) from (dy, y, a, b), scalar function.
const Primitive add_row = elementwise<2>(
    "add", same,
    [](const Vjp& v) {
      return Grads{v.dy, v.dy};
    },
    [](auto a, decltype(a) b) { return wrapping(a, b, [](auto x, auto y) { return x + y; }); });
const Primitive subtract_row = elementwise<2>(
    "subtract", same,
    [](const Vjp& v) {
      return Grads{v.dy, -v.dy};
    },
    [](auto a, decltype(a) b) { return wrapping(a, b, [](auto x, auto y) { return x - y; }); });
const Primitive multiply_row = elementwise<2>(
    "multiply", same,
    [](const Vjp& v) {
      return Grads{v.dy * v.x[1], v.dy * v.x[0]};
    },
    [](auto a, decltype(a) b) { return wrapping(a, b, [](auto x, auto y) { return x * y; }); });
const Primitive multiply_add_row = elementwise<3>(
    "multiply_add", same,
    [](const Vjp& v) {
      return Grads{v.dy * v.x[1], v.dy * v.x[0], v.dy};
    },
    [](Real auto a, decltype(a) b, decltype(a) c) { return std::fma(a, b, c); });
// x, and 0 where the cotangent is exactly 0 and x is NaN, as 0 · ∞ and 0 / 0 are: finite results keep their bits.
const Primitive strong_zero_row = elementwise<2>(
    "strong_zero", same,
    [](const Vjp& v) {
      const Tensor replaced = (v.x[0] == 0) & is_nan(v.x[1]);
      return Grads{Tensor(), where(replaced, zeros_like(v.dy), v.dy)};
    },
    [](Real auto cotangent, decltype(cotangent) x) { return cotangent == 0 && x != x ? 0 : x; });
const Primitive divide_row = elementwise<2>(
    "divide", same,
    [](const Vjp& v) {
      return Grads{strong_zero(v.dy, v.dy / v.x[1]), strong_zero(v.dy, -v.dy * v.y / v.x[1])};
    },
    [](Real auto a, decltype(a) b) { return a / b; });
// b·aᵇ⁻¹ is 0 where b is, also at a = 0.
const Primitive power_row = elementwise<2>(
    "power", same,
    [](const Vjp& v) {
      const Tensor &a = v.x[0], &b = v.x[1], scaled = v.dy * b;
      return Grads{strong_zero(scaled, scaled * power(a, b - 1)),
                   strong_zero(v.dy, v.dy * v.y * log(where(a > 0, a, 1)))};
    },
    [](Real auto a, decltype(a) b) { return std::pow(a, b); });
// At a tie each side gets half, as in JAX. NaN wins.
Grads share_by(const Vjp& v, const Tensor& first_wins) {
  Tensor half = v.dy * 0.5, tie = v.x[0] == v.x[1], none = zeros_like(v.dy);
  return {where(tie, half, where(first_wins, v.dy, none)), where(tie, half, where(first_wins, none, v.dy))};
}
const Primitive maximum_row = elementwise<2>(
    "maximum", same, [](const Vjp& v) { return share_by(v, v.x[0] > v.x[1]); },
    [](auto a, decltype(a) b) {
      return a != a ? a : b != b ? b : a > b ? a : b;
    });
const Primitive minimum_row = elementwise<2>(
    "minimum", same, [](const Vjp& v) { return share_by(v, v.x[0] < v.x[1]); },
    [](auto a, decltype(a) b) {
      return a != a ? a : b != b ? b : a < b ? a : b;
    });
// Division by zero gives the dividend, and the least integer by −1 gives 0: no trap.
const Primitive remainder_row = elementwise<2>("remainder", same, nullptr, [](Integer auto a, decltype(a) b) {
  return b == 0                                                               ? a
         : b == static_cast<decltype(b)>(-1) && std::is_signed_v<decltype(b)> ? 0
                                                                              : static_cast<decltype(a)>(a % b);
});
const Primitive quotient_row = elementwise<2>("quotient", same, nullptr, [](Integer auto a, decltype(a) b) {
  return b == 0 ? decltype(a)(0)
         : b == static_cast<decltype(b)>(-1) && std::is_signed_v<decltype(b)>
             ? static_cast<decltype(a)>(0U - static_cast<std::uint32_t>(a))
             : static_cast<decltype(a)>(a / b);
});
const Primitive where_positive_row = elementwise<2>(
    "where_positive", same,
    [](const Vjp& v) {
      return Grads{Tensor(), where_positive(v.x[0], v.dy)};
    },
    [](Real auto condition, decltype(condition) x) { return condition > 0 ? x : 0; });
const Primitive clamp_row = elementwise<3>(
    "clamp", same,
    [](const Vjp& v) {
      const Tensor inside = (v.x[1] < v.x[0]) & (v.x[0] < v.x[2]);
      return Grads{where(inside, v.dy, zeros_like(v.dy)), Tensor(), Tensor()};
    },
    [](Real auto x, decltype(x) low, decltype(x) high) { return x < low    ? low
                                                                : x > high ? high
                                                                           : x; });
const Primitive equal_row = elementwise<2>("equal", compared, nullptr, [](auto a, decltype(a) b) { return a == b; });
const Primitive not_equal_row =
    elementwise<2>("not_equal", compared, nullptr, [](auto a, decltype(a) b) { return a != b; });
const Primitive less_row = elementwise<2>("less", compared, nullptr, [](auto a, decltype(a) b) { return a < b; });
const Primitive less_equal_row =
    elementwise<2>("less_equal", compared, nullptr, [](auto a, decltype(a) b) { return a <= b; });
const Primitive and_row = elementwise<2>("and", same, nullptr, [](Integer auto a, decltype(a) b) { return a & b; });
const Primitive or_row = elementwise<2>("or", same, nullptr, [](Integer auto a, decltype(a) b) { return a | b; });
const Primitive xor_row = elementwise<2>("xor", same, nullptr, [](Integer auto a, decltype(a) b) { return a ^ b; });
// Shifts by 32 and more give 0; to the right without the sign.
const Primitive shift_left_row = elementwise<2>("shift_left", same, nullptr, [](Integer auto a, decltype(a) b) {
  auto n = static_cast<std::uint32_t>(b);
  return static_cast<decltype(a)>(n < 32 ? static_cast<std::uint32_t>(a) << n : 0U);
});
const Primitive shift_right_row = elementwise<2>("shift_right", same, nullptr, [](Integer auto a, decltype(a) b) {
  auto n = static_cast<std::uint32_t>(b);
  return static_cast<decltype(a)>(n < 32 ? static_cast<std::uint32_t>(a) >> n : 0U);
});

const Primitive select_row =
    with_reference({.name = "select",
                    .type =
                        [](std::span<const Type> x, const Attributes&) {
                          if (x[0].dtype != DType::boolean)
                            throw ShapeError(fmt::format("where: the condition is {}, not bool", to_text(x[0])));
                          return x[1];
                        },
                    .vjp =
                        [](const Vjp& v) {
                          Tensor none = zeros_like(v.dy);
                          return Grads{Tensor(), where(v.x[0], v.dy, none), where(v.x[0], none, v.dy)};
                        },
                    .jvp =
                        [](const Jvp& j) {
                          const Tensor none = zeros_like(j.y);
                          return where(j.x[0], j.dx[1] ? j.dx[1] : none, j.dx[2] ? j.dx[2] : none);
                        },
                    .fusion = Fusion::elementwise,
                    .loop =
                        [](DType, DType, const void* const* inputs, void* out, std::size_t n) {
                          const auto *condition = static_cast<const std::uint32_t*>(inputs[0]),
                                     *a = static_cast<const std::uint32_t*>(inputs[1]),
                                     *b = static_cast<const std::uint32_t*>(inputs[2]);
                          for (std::size_t i = 0; i < n; ++i)
                            static_cast<std::uint32_t*>(out)[i] = condition[i] ? a[i] : b[i];
                        }},
                   []<class R>(ReferenceArguments<R>& call) {
                     const auto& condition = std::get<xt::xarray<std::uint32_t>>(*call.inputs[0]);
                     std::visit(
                         [&](const auto& a) {
                           auto result = a;
                           const auto& b = std::get<std::decay_t<decltype(a)>>(*call.inputs[2]);
                           for (std::size_t i = 0; i < result.size(); ++i)
                             if (!condition.data()[i]) result.data()[i] = b.data()[i];
                           call.result = std::move(result);
                         },
                         *call.inputs[1]);
                   });

/// A number of the host language as the type it meets.
Tensor adopt(const Tensor& number, DType dtype) {
  const auto* constant = std::get_if<Constant>(&number.node()->attributes);
  if (!constant || !constant->weak || number.dtype() == dtype) return number;
  const float value = constant->value.item<float>();
  if (dtype == DType::int32) return Tensor(Array::scalar(static_cast<std::int32_t>(value)));
  if (dtype == DType::uint32)
    return Tensor(Array::scalar(static_cast<std::uint32_t>(static_cast<std::int64_t>(value))));
  return number;
}

/// Two tensors brought to one type and shape.
std::pair<Tensor, Tensor> promoted(const Tensor& a, const Tensor& b, std::string_view function) {
  Tensor left = adopt(a, b.dtype()), right = adopt(b, a.dtype());
  if (left.dtype() != right.dtype())
    throw ShapeError(fmt::format("{}: {} and {} are of different types; use convert()", function, to_text(a.type()),
                                 to_text(b.type())));
  Shape shape = broadcast_shape(left.shape(), right.shape(), function);
  return {broadcast_to(left, shape), broadcast_to(right, shape)};
}

Tensor arithmetic(const Primitive& row, const Tensor& a, const Tensor& b) {
  auto [left, right] = promoted(a, b, row.name);
  if (left.dtype() == DType::boolean) throw ShapeError(fmt::format("{}: numbers were expected, not bool", row.name));
  return apply(row, {left, right});
}
Tensor real_arithmetic(const Primitive& row, const Tensor& a, const Tensor& b) {
  auto [left, right] = promoted(a, b, row.name);
  if (left.dtype() != DType::float32)
    throw ShapeError(fmt::format("{}: float32 was expected, not {}", row.name, name_of(left.dtype())));
  return apply(row, {left, right});
}
Tensor compare(const Primitive& row, const Tensor& a, const Tensor& b) {
  auto [left, right] = promoted(a, b, row.name);
  return apply(row, {left, right});
}
Tensor bitwise(const Primitive& row, const Tensor& a, const Tensor& b) {
  auto [left, right] = promoted(a, b, row.name);
  if (left.dtype() == DType::float32)
    throw ShapeError(fmt::format("{}: integers or bool were expected, not float32", row.name));
  return apply(row, {left, right});
}

}  // namespace

Tensor operator+(const Tensor& a, const Tensor& b) { return arithmetic(add_row, a, b); }
Tensor operator-(const Tensor& a, const Tensor& b) { return arithmetic(subtract_row, a, b); }
Tensor operator*(const Tensor& a, const Tensor& b) { return arithmetic(multiply_row, a, b); }
Tensor operator/(const Tensor& a, const Tensor& b) { return real_arithmetic(divide_row, a, b); }
Tensor power(const Tensor& a, const Tensor& b) { return real_arithmetic(power_row, a, b); }
Tensor maximum(const Tensor& a, const Tensor& b) { return arithmetic(maximum_row, a, b); }
Tensor minimum(const Tensor& a, const Tensor& b) { return arithmetic(minimum_row, a, b); }
Tensor where_positive(const Tensor& condition, const Tensor& x) {
  return real_arithmetic(where_positive_row, condition, x);
}
Tensor strong_zero(const Tensor& cotangent, const Tensor& product) {
  return real_arithmetic(strong_zero_row, cotangent, product);
}
Tensor clamp(const Tensor& x, double low, double high) {
  if (x.dtype() != DType::float32)
    throw ShapeError(fmt::format("clamp: float32 was expected, not {}", name_of(x.dtype())));
  return apply(clamp_row, {x, broadcast_to(Tensor(low), x.shape()), broadcast_to(Tensor(high), x.shape())});
}
Tensor remainder(const Tensor& a, const Tensor& b) { return bitwise(remainder_row, a, b); }
Tensor quotient(const Tensor& a, const Tensor& b) { return bitwise(quotient_row, a, b); }
Tensor multiply_add(const Tensor& a, const Tensor& b, const Tensor& c) {
  auto [left, right] = promoted(a, b, "multiply_add");
  auto [first, last] = promoted(left, c, "multiply_add");
  if (last.dtype() != DType::float32) throw ShapeError("multiply_add: float32 was expected");
  return apply(multiply_add_row, {first, broadcast_to(right, last.shape()), last});
}
Tensor operator==(const Tensor& a, const Tensor& b) { return compare(equal_row, a, b); }
Tensor operator!=(const Tensor& a, const Tensor& b) { return compare(not_equal_row, a, b); }
Tensor operator<(const Tensor& a, const Tensor& b) { return compare(less_row, a, b); }
Tensor operator<=(const Tensor& a, const Tensor& b) { return compare(less_equal_row, a, b); }
Tensor operator>(const Tensor& a, const Tensor& b) { return b < a; }
Tensor operator>=(const Tensor& a, const Tensor& b) { return b <= a; }
Tensor operator&(const Tensor& a, const Tensor& b) { return bitwise(and_row, a, b); }
Tensor operator|(const Tensor& a, const Tensor& b) { return bitwise(or_row, a, b); }
Tensor operator^(const Tensor& a, const Tensor& b) { return bitwise(xor_row, a, b); }
Tensor shift_left(const Tensor& a, const Tensor& bits) { return bitwise(shift_left_row, a, bits); }
Tensor shift_right(const Tensor& a, const Tensor& bits) { return bitwise(shift_right_row, a, bits); }

Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b) {
  auto [left, right] = promoted(a, b, "where");
  Shape shape = broadcast_shape(condition.shape(), left.shape(), "where");
  return apply(select_row, {broadcast_to(condition, shape), broadcast_to(left, shape), broadcast_to(right, shape)});
}

std::vector<const Primitive*> binary_primitives() {
  return {&add_row,   &subtract_row, &multiply_row,   &multiply_add_row, &strong_zero_row, &divide_row,
          &power_row, &maximum_row,  &minimum_row,    &remainder_row,    &quotient_row,    &where_positive_row,
          &clamp_row, &equal_row,    &not_equal_row,  &less_row,         &less_equal_row,  &and_row,
          &or_row,    &xor_row,      &shift_left_row, &shift_right_row,  &select_row};
}

}  // namespace lopt
