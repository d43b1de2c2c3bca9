#pragma once
// A result of an evaluation beside another one's.

#include "report/evaluation_row.h"

#include <optional>

namespace lopt {

/// How soon an optimizer is as low as another one ever gets.
struct Reached {
  std::int64_t steps = 0;
  double share_of_steps = 0, share_of_time = 0;  // of those until the other one is as low itself
};

/// One optimizer beside another on the same task, for as many steps.
struct Beside {
  double ratio = 1;                    // of mean losses; infinite where it is not finite
  std::size_t wins = 0, problems = 0;  // seeds on which it is below
  std::optional<double> test_ratio;    // of the lowest losses of test data
  std::optional<Reached> loss, test;   // the lowest mean of a tenth of the steps, the lowest loss of test data
};

Beside beside(const EvaluationRow& row, const EvaluationRow& other);
/// Its `ratio` alone.
double ratio_of_mean_losses(const EvaluationRow& row, const EvaluationRow& other);

/// "12 % below", "4 % above", "as high", "3.5 times as high".
std::string in_percent(double ratio);

}  // namespace lopt
