#pragma once
#include <lopt/schedule.h>

namespace lopt {

/// The rate of each update, 0 … num_steps − 1.
std::vector<double> rates_of(const Rate& rate, std::int64_t num_steps);

}  // namespace lopt
