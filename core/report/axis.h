#pragma once
// What all drawings share.

#include <cmath>

namespace lopt {

inline constexpr const char* curve_colours[] = {"#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#17becf",
                                                "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22", "#393b79", "#637939"};

/// 1, 2 or 5 times a power of ten: about `count` of them between low and high.
inline double tick_step(double low, double high, int count) {
  const double raw = (high - low) / count, power = std::pow(10, std::floor(std::log10(raw))), ratio = raw / power;
  return power * (ratio < 1.5 ? 1 : ratio < 3.5 ? 2 : ratio < 7.5 ? 5 : 10);
}

}  // namespace lopt
