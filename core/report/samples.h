#pragma once
// Means, medians and intervals of a few numbers.

#include <utility>
#include <vector>

namespace lopt {

/// NaN of none.
double mean(const std::vector<double>& values);
/// NaN of none.
double median(std::vector<double> values);
/// Infinite where any is not finite.
double largest(const std::vector<double>& values);
/// 95 % of the means of values that are drawn from these, as many with replacement.
std::pair<double, double> bootstrap_interval(const std::vector<double>& values);
/// Half the width of the 95 % bootstrap interval of the ratio of two means over the same problems, in percent.
double half_width_of_ratio(const std::vector<double>& own, const std::vector<double>& other);

}  // namespace lopt
