// How `tuned` finds a rate.
#include "catch.h"
#include "learn/rate_search.h"

#include <cmath>
#include <vector>

using namespace lopt;

namespace {

/// All that is tried where the loss has its only valley at `best`.
std::vector<double> tried(RateSearch& search, double best) {
  std::vector<double> rates;
  while (const auto rate = search.next()) {
    rates.push_back(*rate);
    search.add(std::abs(std::log(*rate / best)));
  }
  return rates;
}

double apart(double rate, double other) { return std::abs(std::log10(rate / other)); }

}  // namespace

TEST_CASE("a rate is searched for in half-decades, and beyond them while the best is the last") {
  for (const double best : {2e-9, 3e-5, 1e-4, 0.002, 0.3, 1.0, 40.0, 2e5}) {
    INFO(best);
    RateSearch search(RateSearch::Precision::half_decades);
    const std::vector<double> rates = tried(search, best);
    CHECK(apart(search.best().rate, best) <= 0.2501);
    CHECK(search.is_beyond() == (best < 5e-5 || best > 2));
    CHECK(static_cast<int>(rates.size()) == search.tried());
    CHECK(rates.size() <= 9 + 13);
    RateSearch refined(RateSearch::Precision::refined);
    CHECK(tried(refined, best).size() == rates.size() + 4);
    CHECK(apart(refined.best().rate, best) <= 0.0834);
  }
}

TEST_CASE("a search for a rate ends where no rate is any good, or all are") {
  for (const double loss : {std::nan(""), std::numeric_limits<double>::infinity(), 1.0}) {
    RateSearch search(RateSearch::Precision::refined);
    int count = 0;
    while (search.next() && count < 100) {
      search.add(loss);
      ++count;
    }
    CHECK(count < 40);
    CHECK(search.best().rate > 0);
  }
}
