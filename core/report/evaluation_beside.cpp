#include "report/evaluation_beside.h"

#include "report/samples.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace lopt {
namespace {

using Points = std::vector<std::pair<std::int64_t, double>>;  // (steps, loss)

/// Means over a tenth of the steps, at the last of them.
Points means_of_a_tenth(const std::vector<float>& curve) {
  const std::size_t window = std::max<std::size_t>(1, curve.size() / 10);
  Points points;
  double sum = 0;
  for (std::size_t k = 0; k < curve.size(); ++k) {
    sum += static_cast<double>(curve[k]);
    if (k >= window) sum -= static_cast<double>(curve[k - window]);
    if (k + 1 >= window) points.emplace_back(k + 1, sum / static_cast<double>(window));
  }
  return points;
}

std::optional<std::int64_t> steps_to(const Points& points, double loss) {
  for (const auto& [steps, value] : points)
    if (value <= loss) return steps;
  return std::nullopt;
}

std::optional<Reached> reached(const Points& own, const Points& other, double own_seconds, double other_seconds) {
  double lowest = std::numeric_limits<double>::infinity();
  for (const auto& [steps, value] : other)
    if (value < lowest) lowest = value;
  const std::optional<std::int64_t> steps = steps_to(own, lowest), its_steps = steps_to(other, lowest);
  if (!steps || !its_steps || !std::isfinite(lowest)) return std::nullopt;
  const double share = static_cast<double>(*steps) / static_cast<double>(*its_steps);
  return Reached{*steps, share, share * own_seconds / other_seconds};
}

double ratio_of(const std::vector<double>& own, const std::vector<double>& other) {
  const double ratio = mean(own) / mean(other);
  return std::isfinite(mean(own)) && !std::isnan(ratio) ? ratio : std::numeric_limits<double>::infinity();
}

}  // namespace

double ratio_of_mean_losses(const EvaluationRow& row, const EvaluationRow& other) {
  return ratio_of(row.score.mean_loss, other.score.mean_loss);
}

Beside beside(const EvaluationRow& row, const EvaluationRow& other) {
  const Score &own = row.score, &its = other.score;
  Beside result;
  result.ratio = ratio_of_mean_losses(row, other);
  result.problems = own.mean_loss.size();
  for (std::size_t i = 0; i < result.problems; ++i) result.wins += own.mean_loss[i] < its.mean_loss[i];
  if (!own.test_loss.empty() && !its.test_loss.empty()) result.test_ratio = ratio_of(own.test_loss, its.test_loss);
  result.loss =
      reached(means_of_a_tenth(own.curve), means_of_a_tenth(its.curve), own.seconds_a_step, its.seconds_a_step);
  result.test = reached(own.test_curve, its.test_curve, own.seconds_a_step, its.seconds_a_step);
  return result;
}

std::string in_percent(double ratio) {
  if (!std::isfinite(ratio)) return "diverged";
  if (ratio >= 3) return fmt::format("{:.2g} times as high", ratio);
  const double percent = 100 * (ratio - 1);
  return std::abs(percent) < 0.5 ? "as high"
                                 : fmt::format("{:.0f} % {}", std::abs(percent), percent < 0 ? "below" : "above");
}

}  // namespace lopt
