#pragma once
// Inverse error function (Giles, Approximating the erfinv function, 2010).

#include <cmath>
#include <limits>

namespace lopt {

/// In single precision, the polynomials that XLA uses: equal to it within 2 ulp.
inline float erf_inverse(float x) {
  constexpr float central[] = {2.81022636e-08F, 3.43273939e-07F, -3.5233877e-06F, -4.39150654e-06F, 0.00021858087F,
                               -0.00125372503F, -0.00417768164F, 0.246640727F,    1.50140941F};
  constexpr float tail[] = {-0.000200214257F, 0.000100950558F, 0.00134934322F, -0.00367342844F, 0.00573950773F,
                            -0.0076224613F,   0.00943887047F,  1.00167406F,    2.83297682F};
  const float t = -x * x;
  float w = std::abs(t) < 0.41421356F ? -std::log1p(t) : -std::log(1 + t);  // as XLA splits it
  const bool is_central = w < 5.0F;
  w = is_central ? w - 2.5F : std::sqrt(w) - 3.0F;
  const float* c = is_central ? central : tail;
  float p = c[0];
  for (int i = 1; i < 9; ++i) p = std::fma(p, w, c[i]);
  return std::abs(x) == 1.0F ? x * std::numeric_limits<float>::infinity() : p * x;
}

/// In double precision: the single-precision value, refined by Newton's method on erf to full accuracy.
inline double erf_inverse(double x) {
  if (!(std::abs(x) < 1))
    return std::abs(x) == 1 ? x * std::numeric_limits<double>::infinity() : std::numeric_limits<double>::quiet_NaN();
  double y = erf_inverse(static_cast<float>(x));
  if (std::isinf(y)) y = std::copysign(5.0, x);
  for (int i = 0; i < 4; ++i) {
    const double error = x > 0 ? std::erfc(y) - (1 - x) : (1 + x) - std::erfc(-y);
    const double step = error * 0.886226925452758 * std::exp(y * y);  // √π/2 · exp(y²)
    y += step / (1 + y * step);
  }
  return y;
}

}  // namespace lopt
