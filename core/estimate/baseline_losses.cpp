#include "estimate/baseline_losses.h"

#include <algorithm>
#include <cmath>

namespace lopt {
namespace {

/// A loss whose logarithm and quotient are finite.
float countable(float loss) { return std::isfinite(loss) ? std::max(std::abs(loss), 1e-12F) : 1; }

std::vector<float> smoothed(const std::vector<float>& losses) {
  std::vector<double> sums{0};
  for (const float loss : losses) sums.push_back(sums.back() + std::log(static_cast<double>(countable(loss))));
  std::vector<float> result;
  for (std::size_t k = 0; k < losses.size(); ++k) {
    const std::size_t reach = k / 10, begin = k - reach, end = std::min(losses.size(), k + reach + 1);
    result.push_back(static_cast<float>(std::exp((sums[end] - sums[begin]) / static_cast<double>(end - begin))));
  }
  return result;
}

}  // namespace

void BaselineLosses::fill(const std::vector<std::vector<float>>& losses) {
  std::vector<std::vector<float>> smooth;
  for (const std::vector<float>& member : losses) smooth.push_back(smoothed(member));
  restore(std::move(smooth));
}

void BaselineLosses::restore(std::vector<std::vector<float>> losses) {
  losses_ = std::move(losses);
  means_.clear();
  for (const std::vector<float>& member : losses_) {
    means_.emplace_back();
    double sum = 0;
    for (const float loss : member) {
      sum += static_cast<double>(loss);
      means_.back().push_back(static_cast<float>(sum / static_cast<double>(means_.back().size() + 1)));
    }
  }
}

float BaselineLosses::scale(const Lane& lane) const {
  const std::vector<float>& of_member = (by_step_ ? losses_ : means_).at(lane.task);
  const auto steps = static_cast<std::int64_t>(of_member.size());
  const std::int64_t at = by_step_ ? lane.iteration : (lane.length > 0 ? lane.length : steps) - 1;
  return of_member[static_cast<std::size_t>(std::clamp<std::int64_t>(at, 0, steps - 1))];
}

}  // namespace lopt
