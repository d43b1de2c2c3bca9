#include "learn/rate_search.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace lopt {
namespace {

constexpr int first_half_decade = -8, last_half_decade = 0, least_half_decade = -20, most_half_decade = 12;
/// In powers of ten: a third and two thirds of the way to the half-decade before, and to the one behind.
constexpr std::array between = {-1.0 / 3, -1.0 / 6, 1.0 / 6, 1.0 / 3};

double rate_of(int half_decade) { return std::pow(10, 0.5 * half_decade); }

}  // namespace

bool BestRate::add(double another, double its_loss) {
  if (rate != 0 && !(its_loss < loss)) return false;
  rate = another;
  loss = std::isfinite(its_loss) ? its_loss : std::numeric_limits<double>::infinity();
  return true;
}

std::optional<int> RateSearch::next_half_decade() const {
  if (tried_ == 0) return first_half_decade;
  if (highest_ < last_half_decade) return highest_ + 1;
  if (best_half_decade_ == highest_ && highest_ < most_half_decade) return highest_ + 1;
  if (best_half_decade_ == lowest_ && lowest_ > least_half_decade) return lowest_ - 1;
  return std::nullopt;
}

std::optional<double> RateSearch::next() const {
  if (between_ == 0)
    if (const std::optional<int> half_decade = next_half_decade()) return rate_of(*half_decade);
  if (precision_ == Precision::half_decades || between_ == between.size()) return std::nullopt;
  return rate_of(*best_half_decade_) * std::pow(10, between[between_]);
}

void RateSearch::add(double loss) {
  const std::optional<double> rate = next();
  if (!rate) return;
  const std::optional<int> half_decade = between_ == 0 ? next_half_decade() : std::nullopt;
  const bool is_best = best_.add(*rate, loss);
  if (half_decade) {
    lowest_ = tried_ ? std::min(lowest_, *half_decade) : *half_decade;
    highest_ = tried_ ? std::max(highest_, *half_decade) : *half_decade;
    if (is_best) best_half_decade_ = half_decade;
  } else {
    ++between_;
  }
  ++tried_;
}

bool RateSearch::is_beyond() const {
  constexpr double near = 1.0001;
  return best_.rate < rate_of(first_half_decade) / near || best_.rate > rate_of(last_half_decade) * near;
}

}  // namespace lopt
