// Functions of vectors of float32, right over the whole range: NaN, infinities, zeros and subnormals included.
// Included once for each SIMD level, so the guard is that of the level.
#if defined(LOPT_FUNCTIONS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef LOPT_FUNCTIONS_INL_H
#undef LOPT_FUNCTIONS_INL_H
#else
#define LOPT_FUNCTIONS_INL_H
#endif

#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

#include "kernels/vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lopt::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// eˣ = 2ⁿ · eʳ, r = x − n·ln 2 in two parts, eʳ by a polynomial of degree 6 (Cephes).
template <class D, class V>
HWY_INLINE V exp(D d, V x) {
  const hn::RebindToSigned<D> i;
  const V highest = hn::Set(d, 88.72284F), lowest = hn::Set(d, -104.0F);
  const V clamped = hn::Min(hn::Max(x, lowest), highest);
  const V n = hn::Round(hn::Mul(clamped, hn::Set(d, 1.44269504F)));
  const V r = hn::NegMulAdd(n, hn::Set(d, -2.12194440e-4F), hn::NegMulAdd(n, hn::Set(d, 0.693359375F), clamped));
  V p = hn::Set(d, 1.9875691500e-4F);
  p = hn::MulAdd(p, r, hn::Set(d, 1.3981999507e-3F));
  p = hn::MulAdd(p, r, hn::Set(d, 8.3334519073e-3F));
  p = hn::MulAdd(p, r, hn::Set(d, 4.1665795894e-2F));
  p = hn::MulAdd(p, r, hn::Set(d, 1.6666665459e-1F));
  p = hn::MulAdd(p, r, hn::Set(d, 5.0000001201e-1F));
  p = hn::Add(hn::MulAdd(p, hn::Mul(r, r), r), hn::Set(d, 1.0F));
  // 2ⁿ in two factors, so that subnormal results come out right.
  const auto whole = hn::ConvertTo(i, n);
  const auto half = hn::ShiftRight<1>(whole);
  auto power = [&](auto e) { return hn::BitCast(d, hn::ShiftLeft<23>(hn::Add(e, hn::Set(i, 127)))); };
  V y = hn::Mul(hn::Mul(p, power(half)), power(hn::Sub(whole, half)));
  y = hn::IfThenElse(hn::Gt(x, highest), hn::Set(d, infinity), y);
  y = hn::IfThenZeroElse(hn::Lt(x, lowest), y);
  return hn::IfThenElse(hn::IsNaN(x), x, y);
}

template <class D, class V>
HWY_INLINE V log(D d, V x) {
  V y = hn::Log(d, x);
  y = hn::IfThenElse(hn::Eq(x, hn::Zero(d)), hn::Set(d, -infinity), y);
  y = hn::IfThenElse(hn::Lt(x, hn::Zero(d)), hn::Set(d, not_a_number), y);
  return hn::IfThenElse(hn::Or(hn::IsNaN(x), hn::Eq(x, hn::Set(d, infinity))), x, y);
}

template <class D, class V>
HWY_INLINE V log1p(D d, V x) {
  const V minus_one = hn::Set(d, -1.0F);
  V y = hn::Log1p(d, x);
  y = hn::IfThenElse(hn::Eq(x, minus_one), hn::Set(d, -infinity), y);
  y = hn::IfThenElse(hn::Lt(x, minus_one), hn::Set(d, not_a_number), y);
  y = hn::IfThenElse(hn::Lt(hn::Abs(x), hn::Set(d, 1e-8F)), x, y);
  return hn::IfThenElse(hn::Or(hn::IsNaN(x), hn::Eq(x, hn::Set(d, infinity))), x, y);
}

template <class D, class V>
HWY_INLINE V tanh(D d, V x) {
  const V y = hn::Tanh(d, x);
  const V tiny = hn::Set(d, 4e-4F);  // below, x − x³/3 rounds to x
  return hn::IfThenElse(hn::Or(hn::IsNaN(x), hn::Lt(hn::Abs(x), tiny)), x, y);
}

/// The polynomials of random/erf_inv.h.
template <class D, class V>
HWY_INLINE V erf_inv(D d, V x) {
  constexpr float central[] = {2.81022636e-08F, 3.43273939e-07F, -3.5233877e-06F, -4.39150654e-06F, 0.00021858087F,
                               -0.00125372503F, -0.00417768164F, 0.246640727F,    1.50140941F};
  constexpr float tail[] = {-0.000200214257F, 0.000100950558F, 0.00134934322F, -0.00367342844F, 0.00573950773F,
                            -0.0076224613F,   0.00943887047F,  1.00167406F,    2.83297682F};
  const V t = hn::Neg(hn::Mul(x, x)), one = hn::Set(d, 1.0F), y1 = hn::Add(t, one);
  // log(1 + t), near 0 with the rounding of 1 + t made good.
  const V log_y = log(d, y1);
  const V exact = hn::IfThenElse(hn::Eq(y1, one), t, hn::Mul(log_y, hn::Div(t, hn::Sub(y1, one))));
  const V w = hn::Neg(hn::IfThenElse(hn::Gt(t, hn::Set(d, -0.41421356F)), exact, log_y));
  const auto is_central = hn::Lt(w, hn::Set(d, 5.0F));
  const V v = hn::IfThenElse(is_central, hn::Sub(w, hn::Set(d, 2.5F)), hn::Sub(hn::Sqrt(w), hn::Set(d, 3.0F)));
  V p = hn::IfThenElse(is_central, hn::Set(d, central[0]), hn::Set(d, tail[0]));
  for (int i = 1; i < 9; ++i)
    p = hn::MulAdd(p, v, hn::IfThenElse(is_central, hn::Set(d, central[i]), hn::Set(d, tail[i])));
  const V y = hn::Mul(p, x);
  return hn::IfThenElse(hn::Eq(hn::Abs(x), hn::Set(d, 1.0F)), hn::Mul(x, hn::Set(d, infinity)), y);
}

}  // namespace lopt::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
