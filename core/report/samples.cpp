#include "report/samples.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>

namespace lopt {

double mean(const std::vector<double>& values) {
  return values.empty() ? std::nan("")
                        : std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double median(std::vector<double> values) {
  if (values.empty()) return std::nan("");
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 ? values[half] : (values[half - 1] + values[half]) / 2;
}

double largest(const std::vector<double>& values) {
  double most = -std::numeric_limits<double>::infinity();
  for (const double value : values) most = std::isfinite(value) ? std::max(most, value) : HUGE_VAL;
  return most;
}

std::pair<double, double> bootstrap_interval(const std::vector<double>& values) {
  constexpr std::size_t draws = 2000;
  std::mt19937 random(1);
  std::vector<double> means;
  for (std::size_t draw = 0; draw < draws; ++draw) {
    double sum = 0;
    for (std::size_t i = 0; i < values.size(); ++i) sum += values[random() % values.size()];
    means.push_back(sum / static_cast<double>(values.size()));
  }
  std::sort(means.begin(), means.end());
  return {means[draws / 40], means[draws - 1 - draws / 40]};
}

double half_width_of_ratio(const std::vector<double>& own, const std::vector<double>& other) {
  // To first order, the ratio of means is the mean of these.
  std::vector<double> parts;
  const double ratio = mean(own) / mean(other);
  for (std::size_t i = 0; i < own.size(); ++i) parts.push_back(ratio + (own[i] - ratio * other[i]) / mean(other));
  const auto [low, high] = bootstrap_interval(parts);
  return 50 * (high - low);
}

}  // namespace lopt
