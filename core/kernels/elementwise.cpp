// SIMD kernels of elementwise primitives, by the primitive's name. A primitive that is not here runs through its loop.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/elementwise.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/highway.h>

#include "kernels/functions-inl.h"
#include "kernels/kernels.h"

#include <algorithm>
#include <iterator>

HWY_BEFORE_NAMESPACE();
namespace lopt::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class T>
using Tag = hn::ScalableTag<T>;

/// Reads one operand, a column after the other. What is the same for all rows is read from a vector full of it, so that
/// one loop serves both.
template <class T>
class Operand {
 public:
  explicit Operand(const Columns& columns)
      : column_(static_cast<const T*>(columns.data)),
        stride_(columns.spread ? 0 : columns.stride),
        row_mask_(columns.uniform ? 0 : ~0UL),
        fill_(columns.uniform && !columns.spread) {}
  /// The first column, and then the next.
  HWY_INLINE void next() {
    at_ = column_;
    if (HWY_UNLIKELY(fill_)) {
      std::fill_n(same_, std::size(same_), *column_);
      at_ = same_;
    }
    column_ += stride_;
  }
  /// Its columns lie end to end, as one column of all their rows, or are one element.
  bool is_one_run(std::size_t rows) const {
    return row_mask_ == 0 ? !fill_ : stride_ == static_cast<std::ptrdiff_t>(rows);
  }
  HWY_INLINE auto load(Tag<T> d, std::size_t row) const { return hn::LoadU(d, at_ + (row & row_mask_)); }

 private:
  const T* column_;
  const T* at_ = nullptr;
  std::ptrdiff_t stride_;
  std::size_t row_mask_;
  bool fill_;
  T same_[HWY_MAX_BYTES / sizeof(T)];
};

template <class T, class Out, auto f, class... Operands>
void loop(void* out, std::ptrdiff_t out_stride, std::size_t columns, std::size_t rows, Operands... operands) {
  const Tag<T> d;
  const Tag<Out> o;
  auto* to = static_cast<Out*>(out);
  if (columns > 1 && out_stride == static_cast<std::ptrdiff_t>(rows) && (operands.is_one_run(rows) && ...)) {
    rows *= columns;
    columns = 1;
  }
  for (std::size_t c = 0; c < columns; ++c, to += out_stride) {
    (operands.next(), ...);
    for (std::size_t r = 0; r < rows; r += hn::Lanes(d)) hn::StoreU(f(d, operands.load(d, r)...), o, to + r);
  }
}
template <class T, class Out, auto f>
void unary(const Columns* in, void* out, std::ptrdiff_t stride, std::size_t columns, std::size_t rows) {
  loop<T, Out, f>(out, stride, columns, rows, Operand<T>(in[0]));
}
template <class T, class Out, auto f>
void binary(const Columns* in, void* out, std::ptrdiff_t stride, std::size_t columns, std::size_t rows) {
  loop<T, Out, f>(out, stride, columns, rows, Operand<T>(in[0]), Operand<T>(in[1]));
}
template <class T, class Out, auto f>
void ternary(const Columns* in, void* out, std::ptrdiff_t stride, std::size_t columns, std::size_t rows) {
  loop<T, Out, f>(out, stride, columns, rows, Operand<T>(in[0]), Operand<T>(in[1]), Operand<T>(in[2]));
}

/// 1 where the mask is set.
template <class D, class M>
auto as_bool([[maybe_unused]] D d, M mask) {
  const hn::RebindToUnsigned<D> u;
  return hn::IfThenElseZero(hn::RebindMask(u, mask), hn::Set(u, 1U));
}

// One line a function: of the vector type and its operands.
constexpr auto negate = [](auto, auto x) { return hn::Neg(x); };
constexpr auto exp_ = [](auto d, auto x) { return exp(d, x); };
constexpr auto log_ = [](auto d, auto x) { return log(d, x); };
constexpr auto log1p_ = [](auto d, auto x) { return log1p(d, x); };
constexpr auto tanh_ = [](auto d, auto x) { return tanh(d, x); };
constexpr auto sqrt = [](auto, auto x) { return hn::Sqrt(x); };
constexpr auto rsqrt = [](auto d, auto x) { return hn::Div(hn::Set(d, 1.0F), hn::Sqrt(x)); };
constexpr auto sigmoid_ = [](auto d, auto x) { return sigmoid(d, x); };
constexpr auto sin_ = [](auto d, auto x) { return sin(d, x); };
constexpr auto cos_ = [](auto d, auto x) { return cos(d, x); };
constexpr auto erf_ = [](auto d, auto x) { return erf(d, x); };
constexpr auto power = [](auto d, auto a, auto b) { return pow(d, a, b); };
constexpr auto erf_inv_ = [](auto d, auto x) { return erf_inv(d, x); };
constexpr auto floor = [](auto, auto x) { return hn::Floor(x); };
constexpr auto abs = [](auto, auto x) { return hn::Abs(x); };
constexpr auto relu = [](auto d, auto x) { return hn::IfThenZeroElse(hn::Le(x, hn::Zero(d)), x); };
constexpr auto sign = [](auto d, auto x) {
  return hn::IfThenElse(hn::Or(hn::Eq(x, hn::Zero(d)), hn::IsNaN(x)), x, hn::CopySign(hn::Set(d, 1.0F), x));
};
constexpr auto not_ = [](auto d, auto x) { return hn::Xor(x, hn::Set(d, 1U)); };
constexpr auto add = [](auto, auto a, auto b) { return hn::Add(a, b); };
constexpr auto subtract = [](auto, auto a, auto b) { return hn::Sub(a, b); };
constexpr auto multiply = [](auto, auto a, auto b) { return hn::Mul(a, b); };
constexpr auto divide = [](auto, auto a, auto b) { return hn::Div(a, b); };
constexpr auto maximum = [](auto d, auto a, auto b) { return larger(d, a, b); };
constexpr auto minimum = [](auto d, auto a, auto b) { return smaller(d, a, b); };
constexpr auto equal = [](auto d, auto a, auto b) { return as_bool(d, hn::Eq(a, b)); };
// NaN differs from itself; hn::Ne says otherwise at some levels.
constexpr auto not_equal = [](auto d, auto a, auto b) { return as_bool(d, hn::Not(hn::Eq(a, b))); };
constexpr auto less = [](auto d, auto a, auto b) { return as_bool(d, hn::Lt(a, b)); };
constexpr auto less_equal = [](auto d, auto a, auto b) { return as_bool(d, hn::Or(hn::Lt(a, b), hn::Eq(a, b))); };
constexpr auto and_ = [](auto, auto a, auto b) { return hn::And(a, b); };
constexpr auto or_ = [](auto, auto a, auto b) { return hn::Or(a, b); };
constexpr auto xor_ = [](auto, auto a, auto b) { return hn::Xor(a, b); };
constexpr auto where_positive = [](auto d, auto condition, auto x) {
  return hn::IfThenElseZero(hn::Gt(condition, hn::Zero(d)), x);
};
constexpr auto strong_zero = [](auto d, auto cotangent, auto x) {
  return hn::IfThenZeroElse(hn::And(hn::Eq(cotangent, hn::Zero(d)), hn::IsNaN(x)), x);
};
constexpr auto clamp = [](auto, auto x, auto low, auto high) {
  return hn::IfThenElse(hn::Lt(x, low), low, hn::IfThenElse(hn::Gt(x, high), high, x));
};
constexpr auto choose = [](auto d, auto condition, auto a, auto b) {
  return hn::IfThenElse(hn::Ne(condition, hn::Zero(d)), a, b);
};
constexpr auto multiply_add = [](auto, auto a, auto b, auto c) { return hn::MulAdd(a, b, c); };
constexpr auto to_float = [](auto, auto x) { return hn::ConvertTo(Tag<float>(), x); };  // int32 and bool
constexpr auto same_bits = [](auto, auto x) { return x; };

Elementwise find(std::string_view name, DType dtype, DType result) {
  using F = float;
  using I = std::int32_t;
  using U = std::uint32_t;
  struct Row {
    std::string_view name;
    Elementwise real, integer, word;  // float32; int32; uint32 and bool
  };
  static constexpr Row rows[] = {
      {"negate", unary<F, F, negate>, nullptr, nullptr},
      {"exp", unary<F, F, exp_>, nullptr, nullptr},
      {"log", unary<F, F, log_>, nullptr, nullptr},
      {"log1p", unary<F, F, log1p_>, nullptr, nullptr},
      {"tanh", unary<F, F, tanh_>, nullptr, nullptr},
      {"sqrt", unary<F, F, sqrt>, nullptr, nullptr},
      {"rsqrt", unary<F, F, rsqrt>, nullptr, nullptr},
      {"sigmoid", unary<F, F, sigmoid_>, nullptr, nullptr},
      {"sin", unary<F, F, sin_>, nullptr, nullptr},
      {"cos", unary<F, F, cos_>, nullptr, nullptr},
      {"erf", unary<F, F, erf_>, nullptr, nullptr},
      {"erf_inv", unary<F, F, erf_inv_>, nullptr, nullptr},
      {"floor", unary<F, F, floor>, nullptr, nullptr},
      {"abs", unary<F, F, abs>, nullptr, nullptr},
      {"relu", unary<F, F, relu>, nullptr, nullptr},
      {"sign", unary<F, F, sign>, nullptr, nullptr},
      {"not", nullptr, nullptr, unary<U, U, not_>},
      {"add", binary<F, F, add>, binary<I, I, add>, binary<U, U, add>},
      {"subtract", binary<F, F, subtract>, binary<I, I, subtract>, binary<U, U, subtract>},
      {"multiply", binary<F, F, multiply>, binary<I, I, multiply>, binary<U, U, multiply>},
      {"divide", binary<F, F, divide>, nullptr, nullptr},
      {"power", binary<F, F, power>, nullptr, nullptr},
      {"maximum", binary<F, F, maximum>, nullptr, nullptr},
      {"minimum", binary<F, F, minimum>, nullptr, nullptr},
      {"where_positive", binary<F, F, where_positive>, nullptr, nullptr},
      {"strong_zero", binary<F, F, strong_zero>, nullptr, nullptr},
      {"clamp", ternary<F, F, clamp>, nullptr, nullptr},
      {"equal", binary<F, U, equal>, binary<I, U, equal>, binary<U, U, equal>},
      {"not_equal", binary<F, U, not_equal>, binary<I, U, not_equal>, binary<U, U, not_equal>},
      {"less", binary<F, U, less>, binary<I, U, less>, binary<U, U, less>},
      {"less_equal", binary<F, U, less_equal>, binary<I, U, less_equal>, binary<U, U, less_equal>},
      {"and", nullptr, binary<I, I, and_>, binary<U, U, and_>},
      {"or", nullptr, binary<I, I, or_>, binary<U, U, or_>},
      {"xor", nullptr, binary<I, I, xor_>, binary<U, U, xor_>},
      {"multiply_add", fused ? ternary<F, F, multiply_add> : nullptr, nullptr, nullptr},
      {"select", ternary<U, U, choose>, ternary<U, U, choose>, ternary<U, U, choose>},
      {"bitcast", unary<U, U, same_bits>, unary<U, U, same_bits>, unary<U, U, same_bits>},
  };
  if (name == "convert")
    return result == DType::float32 && (dtype == DType::int32 || dtype == DType::boolean) ? unary<I, F, to_float>
                                                                                          : nullptr;
  for (const Row& row : rows)
    if (row.name == name) return dtype == DType::float32 ? row.real : dtype == DType::int32 ? row.integer : row.word;
  return nullptr;
}

}  // namespace lopt::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lopt::kernels {
HWY_EXPORT(find);
Elementwise find_elementwise(std::string_view primitive, DType dtype, DType result) {
  return HWY_DYNAMIC_DISPATCH(find)(primitive, dtype, result);
}
}  // namespace lopt::kernels
#endif
