#pragma once
// A curve that grows as long as a run does, in room that does not.

#include "data/json.h"

#include <span>
#include <vector>

namespace lopt {

/// Values by step, in at most so many parts: where there are more, two neighbours become one. A part knows its mean,
/// least and largest value; those that are not finite count for none of them.
class Series {
 public:
  explicit Series(std::size_t most_parts = 1000) : most_parts_(most_parts) {}
  void add(double step, double value);
  bool empty() const { return parts_.empty(); }
  /// Of all values; 0 where there is none above it.
  double largest() const;
  /// {"label", "x", "y"}, with "low" and "high" where parts are of several values, and with "smooth" where there are
  /// enough to smooth.
  Json curve(const std::string& label) const;

 private:
  struct Part {
    double step, sum, low, high;
    int values;  // finite ones
  };
  void halve();
  std::size_t most_parts_;
  std::vector<Part> parts_;
  int samples_a_part_ = 1, samples_in_last_ = 0;
};

/// The mean of the values around each, as many on each side, fewer at the ends: a fortieth of all. Values that are not
/// finite are left out; where all are, the mean is not finite.
std::vector<float> smoothed(std::span<const float> values);
/// How many values there must be for smoothing to say more than they do.
constexpr std::size_t least_to_smooth = 60;

/// With five digits, for pages; null where it is not finite.
Json short_number(double value);
Json short_numbers(std::span<const float> values);

}  // namespace lopt
