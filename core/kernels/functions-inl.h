// Functions of vectors of float32, right over the whole range: NaN, infinities, zeros and subnormals included.
// Included once for each SIMD level, so the guard is that of the level.
#if defined(LOPT_FUNCTIONS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef LOPT_FUNCTIONS_INL_H
#undef LOPT_FUNCTIONS_INL_H
#else
#define LOPT_FUNCTIONS_INL_H
#endif

#include <hwy/highway.h>

#include "kernels/vectors-inl.h"

#include <cmath>
#include <utility>

HWY_BEFORE_NAMESPACE();
namespace lopt::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// c₀ + c₁ x + c₂ x² + …
template <class D, class V, std::size_t n>
HWY_INLINE V polynomial(D d, V x, const hn::TFromD<D> (&c)[n]) {
  V sum = hn::Set(d, c[n - 1]);
  for (std::size_t k = n - 1; k-- > 0;) sum = hn::MulAdd(sum, x, hn::Set(d, c[k]));
  return sum;
}

/// `y` where `usual` is set, and rare(), a vector that takes longer, elsewhere: no element looks at its neighbours.
template <class D, class M, class V, class F>
HWY_INLINE V or_rare(D d, M usual, V y, F rare) {
  if (HWY_LIKELY(hn::AllTrue(d, usual))) return y;
  return hn::IfThenElse(usual, y, rare());
}

/// eˣ = 2ⁿ · eʳ, r = x − n · ln 2 in two parts, eʳ by a polynomial of degree 6, minimax for the relative error. Of
/// |x| < usual_exponent alone, where 2ⁿ is a sum of exponents. `sign` −1 gives e⁻ˣ.
constexpr float usual_exponent = 87.0F, least_exponent = -104.0F;  // and what gives 0
template <int sign, class D, class V>
HWY_INLINE V usual_exp(D d, V x) {
  constexpr float one = sign;
  constexpr float terms[] = {1.0F, one, 0.49999994F, one * 0.16666521F, 0.04166839F, one * 0.008368726F, 0.0013814581F};
  // Added to n, 1.5 · 2²³ leaves n in the last bits.
  const hn::RebindToUnsigned<D> u;
  const V shift = hn::Set(d, 12582912.0F), shifted = hn::MulAdd(x, hn::Set(d, one * 1.44269504F), shift);
  const V n = hn::Sub(shifted, shift);
  // of e⁻ˣ this is −r
  const V r = hn::NegMulAdd(n, hn::Set(d, one * -2.12194440e-4F), hn::NegMulAdd(n, hn::Set(d, one * 0.693359375F), x));
  const auto power = hn::ShiftLeft<23>(hn::BitCast(u, shifted));
  return hn::BitCast(d, hn::Add(hn::BitCast(u, polynomial(d, r, terms)), power));
}
template <class D, class V>
HWY_INLINE auto is_usual_exponent(D d, V x) {
  return hn::Lt(hn::Abs(x), hn::Set(d, usual_exponent));
}
/// Behind the ends of the range the powers of 2 overflow and underflow by themselves; the clamps keep NaN.
template <class D, class V>
HWY_NOINLINE V rare_exp(D d, V x) {
  constexpr float terms[] = {5.0000001201e-1F, 1.6666665459e-1F, 4.1665795894e-2F,
                             8.3334519073e-3F, 1.3981999507e-3F, 1.9875691500e-4F};
  const hn::RebindToSigned<D> i;
  const V clamped = at_least(hn::Set(d, least_exponent), at_most(hn::Set(d, 89.0F), x));
  const V n = hn::Round(hn::Mul(clamped, hn::Set(d, 1.44269504F)));
  const V r = hn::NegMulAdd(n, hn::Set(d, -2.12194440e-4F), hn::NegMulAdd(n, hn::Set(d, 0.693359375F), clamped));
  const V p = hn::Add(hn::MulAdd(polynomial(d, r, terms), hn::Mul(r, r), r), hn::Set(d, 1.0F));
  // 2ⁿ in two factors, so that subnormal results come out right.
  const auto whole = hn::ConvertTo(i, n);
  const auto half = hn::ShiftRight<1>(whole);
  auto power = [&](auto e) { return hn::BitCast(d, hn::ShiftLeft<23>(hn::Add(e, hn::Set(i, 127)))); };
  return hn::Mul(hn::Mul(p, power(half)), power(hn::Sub(whole, half)));
}
/// What is masked in attention is far below, where eˣ is 0: that is not rare.
template <class D, class V>
HWY_INLINE V exp(D d, V x) {
  const auto usual = is_usual_exponent(d, x);
  const V y = usual_exp<1>(d, x);
  if (HWY_LIKELY(hn::AllTrue(d, usual))) return y;
  const auto vanishes = hn::Le(x, hn::Set(d, least_exponent));
  if (hn::AllTrue(d, hn::Or(usual, vanishes))) return hn::IfThenZeroElse(vanishes, y);
  return hn::IfThenElse(usual, y, rare_exp(d, x));
}

/// 1 / (1 + e⁻ˣ), and eˣ / (1 + eˣ) for large negative x, where the first would overflow.
template <class D, class V>
HWY_INLINE V sigmoid(D d, V x) {
  const V one = hn::Set(d, 1.0F);
  return or_rare(d, is_usual_exponent(d, x), hn::Div(one, hn::Add(one, usual_exp<-1>(d, x))), [&] {
    const V e = rare_exp(d, hn::Neg(hn::Abs(x)));
    return hn::Div(hn::IfThenElse(hn::Lt(x, hn::Zero(d)), e, one), hn::Add(one, e));
  });
}

/// x = 2ᵉ (1 + f), f between √½ − 1 and √2 − 1, exactly. Of normal numbers alone.
template <class D, class V>
HWY_INLINE void split(D d, V x, V& e, V& f) {
  const hn::RebindToSigned<D> i;
  const auto bits = hn::BitCast(i, x);
  const auto whole = hn::ShiftRight<23>(hn::Sub(bits, hn::Set(i, 0x3f3504f3)));  // from √½
  e = hn::ConvertTo(d, whole);
  f = hn::Sub(hn::BitCast(d, hn::Sub(bits, hn::ShiftLeft<23>(whole))), hn::Set(d, 1.0F));
}
/// log x = e · ln 2 + log(1 + f), log(1 + f) = f − f²/2 + f³ P(f), P minimax for the relative error.
template <class D, class V>
HWY_INLINE V usual_log(D d, V x) {
  constexpr float terms[] = {0.3333333F,  -0.25000823F, 0.20001228F, -0.16623336F,
                             0.14201719F, -0.13160366F, 0.12761968F, -0.07634491F};
  V e, f;
  split(d, x, e, f);
  const V beyond = hn::Mul(hn::Mul(f, f), hn::MulAdd(f, polynomial(d, f, terms), hn::Set(d, -0.5F)));
  return hn::MulAdd(e, hn::Set(d, 0.693359375F), hn::Add(f, hn::MulAdd(e, hn::Set(d, -2.12194440e-4F), beyond)));
}
template <class D, class V>
HWY_INLINE auto is_usual_number(D d, V x) {
  return hn::And(hn::Ge(x, hn::Set(d, 1.17549435e-38F)), hn::Lt(x, hn::Set(d, infinity)));
}
template <class D, class V>
HWY_INLINE V log(D d, V x) {
  return or_rare(d, is_usual_number(d, x), usual_log(d, x), [&] {
    const V zero = hn::Zero(d),
            subnormal = hn::Sub(usual_log(d, hn::Mul(x, hn::Set(d, 16777216.0F))), hn::Set(d, 16.6355323F));
    V y = hn::IfThenElse(hn::Gt(x, zero), subnormal, hn::Set(d, not_a_number));
    y = hn::IfThenElse(hn::Eq(x, zero), hn::Set(d, -infinity), y);
    return hn::IfThenElse(hn::Or(hn::IsNaN(x), hn::Eq(x, hn::Set(d, infinity))), x, y);
  });
}

/// log u + (x − (u − 1)) / u, u = 1 + x: what rounding took from u is made good.
template <class D, class V>
HWY_INLINE V log1p(D d, V x) {
  const V one = hn::Set(d, 1.0F), u = hn::Add(one, x);
  const V sum = hn::Add(usual_log(d, u), hn::Div(hn::Sub(x, hn::Sub(u, one)), u));
  const V y = hn::IfThenElse(hn::Eq(u, one), x, sum);  // −0 too
  return or_rare(d, is_usual_number(d, u), y, [&] {
    const V of_one = hn::IfThenElse(hn::Eq(x, hn::Neg(one)), hn::Set(d, -infinity), hn::Set(d, not_a_number));
    return hn::IfThenElse(hn::Or(hn::IsNaN(x), hn::Eq(x, hn::Set(d, infinity))), x, of_one);
  });
}

/// f, a function of doubles, on vectors of floats.
template <class D, class F, class... Vs>
HWY_INLINE hn::Vec<D> in_double(D d, F f, Vs... x) {
  const hn::Half<D> half;
  const hn::Repartition<double, D> wide_tag;
  const auto low = f(wide_tag, hn::PromoteTo(wide_tag, hn::LowerHalf(half, x))...);
  const auto high = f(wide_tag, hn::PromoteTo(wide_tag, hn::UpperHalf(half, x))...);
  return hn::Combine(d, hn::DemoteTo(half, high), hn::DemoteTo(half, low));
}
/// f, a function of numbers, element by element: for arguments that a vector's way does not take.
template <class D, class F, class... Vs>
HWY_NOINLINE hn::Vec<D> by_element(D d, F f, Vs... x) {
  HWY_ALIGN float in[sizeof...(Vs)][HWY_MAX_BYTES / 4], out[HWY_MAX_BYTES / 4];
  std::size_t k = 0;
  (hn::Store(x, d, in[k++]), ...);
  for (std::size_t lane = 0; lane < hn::Lanes(d); ++lane) out[lane] = [&]<std::size_t... n>(std::index_sequence<n...>) {
      return static_cast<float>(f(in[n][lane]...));
    }
  (std::index_sequence_for<Vs...>());
  return hn::Load(d, out);
}

/// x · P(x²) / Q(x²) up to `edge`, P and Q minimax for the relative error; behind it ±1. Small x come out as they are.
template <class D, class V, std::size_t n>
HWY_INLINE V odd_ratio(D d, V x, hn::TFromD<D> edge, const hn::TFromD<D> (&p)[n], const hn::TFromD<D> (&q)[n]) {
  const V y = hn::Mul(x, x), ratio = hn::Div(hn::Mul(x, polynomial(d, y, p)), polynomial(d, y, q));
  return or_rare(d, hn::Le(hn::Abs(x), hn::Set(d, edge)), ratio,
                 [&] { return hn::IfThenElse(hn::IsNaN(x), x, hn::CopySign(hn::Set(d, 1), x)); });
}
template <class D, class V>
HWY_INLINE V tanh(D d, V x) {
  return odd_ratio(d, x, 8.0F, {1.0F, 0.134468049F, 0.00357432524F, 2.19393278e-05F, 1.52927164e-08F},
                   {1.0F, 0.467801332F, 0.0261748489F, 0.000341573817F, 8.54781092e-07F});
}
template <class D, class V>
HWY_INLINE V erf(D d, V x) {
  constexpr auto ratio = [](auto tag, auto v) {
    using Number = hn::TFromD<decltype(tag)>;
    constexpr Number p[] = {1.12837917F, 0.182991615F, 0.0519897873F, 0.00350043843F, 0.000288604889F, 2.24302132e-06F},
                     q[] = {1.0F, 0.495505266F, 0.111244229F, 0.0144402229F, 0.00111553644F, 4.02601633e-05F};
    return odd_ratio(tag, v, Number{3.7F}, p, q);
  };
  if constexpr (fused)
    return ratio(d, x);
  else
    return in_double(d, ratio, x);  // products and sums that each round would be 5 ulp off
}

/// sin x = ± sin r, r = x − (n + shift) π between −π/2 and π/2, in double, so that r is right next to multiples of π;
/// shift ½ gives the cosine. π in two parts, the first short enough for exact products.
template <class D, class V>
HWY_INLINE V sine(D d, V x, double shift) {
  return in_double(
      d,
      [shift](auto w, auto v) {
        constexpr double terms[] = {1.0,          -1.0 / 6,         1.0 / 120,        -1.0 / 5040,
                                    1.0 / 362880, -1.0 / 39916800., 1.0 / 6227020800.};
        const auto n = hn::Round(hn::Sub(hn::Mul(v, hn::Set(w, 0.31830988618379067)), hn::Set(w, shift)));
        const auto turns = hn::Add(n, hn::Set(w, shift));
        const auto r = hn::NegMulAdd(turns, hn::Set(w, 1.2154201256553420e-10),
                                     hn::NegMulAdd(turns, hn::Set(w, 3.1415926534682512), v));
        const auto y = hn::Mul(r, polynomial(w, hn::Mul(r, r), terms));
        const auto halves = hn::Mul(n, hn::Set(w, 0.5));
        return hn::IfThenElse(hn::Eq(halves, hn::Floor(halves)), y, hn::Neg(y));
      },
      x);
}
/// `y` where `usual` is set, and f, element by element, elsewhere.
template <class D, class M, class V, class F, class... Vs>
HWY_INLINE V or_by_element(D d, M usual, V y, F f, Vs... x) {
  return or_rare(d, usual, y, [&] { return by_element(d, f, x...); });
}
constexpr float most_turns = 1e6F;  // beyond, the first product above would not be exact
template <class D, class V>
HWY_INLINE V sin(D d, V x) {
  return or_by_element(
      d, hn::Lt(hn::Abs(x), hn::Set(d, most_turns)), sine(d, x, 0), [](double v) { return std::sin(v); }, x);
}
template <class D, class V>
HWY_INLINE V cos(D d, V x) {
  // cos x = sin(x + π/2) = sin(x − (n − ½) π + n π)
  return or_by_element(
      d, hn::Lt(hn::Abs(x), hn::Set(d, most_turns)), sine(d, x, -0.5), [](double v) { return std::cos(v); }, x);
}

/// 2^(y log₂ x) in double for x > 0: log₂(1 + f) = s P(s²), s = f / (2 + f), and 2ʳ by a polynomial, both minimax,
/// right to 2⁻³⁷ and 2⁻²⁹. What else there is, element by element.
template <class D, class V>
HWY_INLINE V pow(D d, V x, V y) {
  V e, f;
  split(d, x, e, f);
  const V power = in_double(
      d,
      [](auto w, auto whole, auto fraction, auto exponent) {
        constexpr double logarithm[] = {2.8853900817901272, 0.961796673285536, 0.5770835964361793, 0.411671991808064,
                                        0.3407442168267226};
        constexpr double exponential[] = {1.0000000005550553,    0.6931472057673548,   0.24022646886050858,
                                          0.05550328711333229,   0.009618489245856301, 0.0013399957818302707,
                                          0.00015345789025235541};
        const auto s = hn::Div(fraction, hn::Add(hn::Set(w, 2.0), fraction));
        const auto log2 = hn::MulAdd(s, polynomial(w, hn::Mul(s, s), logarithm), whole);
        // Beyond ±200 a float is infinite or 0.
        const auto t = hn::Max(hn::Set(w, -200.0), hn::Min(hn::Set(w, 200.0), hn::Mul(exponent, log2)));
        // Added to a whole number, 1.5 · 2⁵² leaves it in the last bits.
        const hn::RebindToUnsigned<decltype(w)> u;
        const auto shift = hn::Set(w, 6755399441055744.0), shifted = hn::Add(t, shift);
        const auto root = polynomial(w, hn::Sub(t, hn::Sub(shifted, shift)), exponential);
        return hn::BitCast(w, hn::Add(hn::BitCast(u, root), hn::ShiftLeft<52>(hn::BitCast(u, shifted))));
      },
      e, f, y);
  const auto usual = hn::And(is_usual_number(d, x), hn::Lt(hn::Abs(y), hn::Set(d, infinity)));
  return or_by_element(
      d, usual, power, [](double a, double b) { return std::pow(a, b); }, x, y);
}

/// log(1 + x) = x − x²/2 + x³ P(x) / Q(x) for |x| < √2 − 1 (Cephes), rounded as XLA's is.
template <class D, class V>
HWY_INLINE V log1p_ratio(D d, V x) {
  constexpr float p[] = {20.039553499201281F, 57.112963590585538F,  60.949667980987787F,   29.911919328553073F,
                         6.5787325942061045F, 0.49854102823193375F, 4.5270000862445200e-5F};
  constexpr float q[] = {60.118660497603844F,
                         216.42788614495948F,
                         309.09872225312060F,
                         221.76239823732856F,
                         83.047565967967209F,
                         15.062909083469192F,
                         1.0F};
  const V square = hn::Mul(x, x), ratio = hn::Mul(square, hn::Div(polynomial(d, x, p), polynomial(d, x, q)));
  return hn::Add(x, hn::MulAdd(square, hn::Set(d, -0.5F), hn::Mul(x, ratio)));
}

/// The polynomials of random/erf_inv.h.
template <class D, class V>
HWY_INLINE V erf_inv(D d, V x) {
  constexpr float central[] = {2.81022636e-08F, 3.43273939e-07F, -3.5233877e-06F, -4.39150654e-06F, 0.00021858087F,
                               -0.00125372503F, -0.00417768164F, 0.246640727F,    1.50140941F};
  constexpr float tail[] = {-0.000200214257F, 0.000100950558F, 0.00134934322F, -0.00367342844F, 0.00573950773F,
                            -0.0076224613F,   0.00943887047F,  1.00167406F,    2.83297682F};
  const V t = hn::Neg(hn::Mul(x, x));
  const V w = hn::Neg(
      hn::IfThenElse(hn::Gt(t, hn::Set(d, -0.41421356F)), log1p_ratio(d, t), log(d, hn::Add(t, hn::Set(d, 1.0F)))));
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
