#include "report/series.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace lopt {

void Series::add(double step, double value) {
  if (parts_.empty() || samples_in_last_ == samples_a_part_) {
    if (parts_.size() == most_parts_) halve();
    parts_.push_back({step, 0, INFINITY, -INFINITY, 0});
    samples_in_last_ = 0;
  }
  ++samples_in_last_;
  if (!std::isfinite(value)) return;
  Part& part = parts_.back();
  part.sum += value;
  part.low = std::min(part.low, value);
  part.high = std::max(part.high, value);
  ++part.values;
}

void Series::halve() {
  for (std::size_t i = 0; i < parts_.size() / 2; ++i) {
    Part a = parts_[2 * i];
    const Part& b = parts_[2 * i + 1];
    a.sum += b.sum;
    a.low = std::min(a.low, b.low);
    a.high = std::max(a.high, b.high);
    a.values += b.values;
    parts_[i] = a;
  }
  parts_.resize(parts_.size() / 2);
  samples_a_part_ *= 2;
}

double Series::largest() const {
  double largest = 0;
  for (const Part& part : parts_) largest = std::max(largest, part.high);
  return largest;
}

Json Series::curve(const std::string& label) const {
  Json curve{{"label", label}, {"x", Json::array()}, {"y", Json::array()}};
  std::vector<float> means;
  for (const Part& part : parts_) {
    curve["x"].push_back(short_number(part.step));
    means.push_back(part.values ? static_cast<float>(part.sum / part.values) : std::nanf(""));
    if (samples_a_part_ == 1) continue;
    curve["low"].push_back(short_number(part.low));
    curve["high"].push_back(short_number(part.high));
  }
  curve["y"] = short_numbers(means);
  if (means.size() >= least_to_smooth) curve["smooth"] = short_numbers(smoothed(means));
  return curve;
}

std::vector<float> smoothed(std::span<const float> values) {
  const std::size_t n = values.size(), reach = std::max<std::size_t>(1, n / 80);
  std::vector<double> sums{0};
  std::vector<std::size_t> counts{0};
  for (const float value : values) {
    const bool counted = std::isfinite(value);
    sums.push_back(sums.back() + (counted ? static_cast<double>(value) : 0));
    counts.push_back(counts.back() + counted);
  }
  std::vector<float> result;
  for (std::size_t i = 0; i < n; ++i) {
    const std::size_t side = std::min({reach, i, n - 1 - i}), begin = i - side, end = i + side + 1;
    const std::size_t count = counts[end] - counts[begin];
    result.push_back(count ? static_cast<float>((sums[end] - sums[begin]) / static_cast<double>(count))
                           : std::nanf(""));
  }
  return result;
}

Json short_number(double value) {
  return std::isfinite(value) ? Json(std::strtod(fmt::format("{:.5g}", value).c_str(), nullptr)) : Json(nullptr);
}

Json short_numbers(std::span<const float> values) {
  Json numbers = Json::array();
  for (const float value : values) numbers.push_back(short_number(static_cast<double>(value)));
  return numbers;
}

}  // namespace lopt
