// Checks of schedules.
#include "conformance/check.h"
#include "execute/rates.h"

#include <fmt/format.h>

#include <cmath>

namespace lopt {

namespace {

constexpr std::int64_t steps = 1000;

/// "0.1 at step 0, 0.05 at step 500, 2e-07 at step 999, of 1000".
Outcome rates(Subject& s) {
  const std::vector<double> values = rates_of(Rate(s.as<Schedule>()), steps);
  for (std::size_t step = 0; step < values.size(); ++step)
    if (!std::isfinite(values[step])) return fail(fmt::format("the rate of step {} is {}", step, values[step]));
  return pass(fmt::format("{:.3g} at step 0, {:.3g} at step {}, {:.3g} at step {}, of {}", values.front(),
                          values[steps / 2], steps / 2, values.back(), steps - 1, steps));
}

}  // namespace

std::vector<Check> schedule_checks() { return {{"rates", {Schedule::kind}, {"calls"}, rates}}; }

}  // namespace lopt
