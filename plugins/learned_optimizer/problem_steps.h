#pragma once
// How long a problem is, for rules whose steps depend on it.

#include <lopt/plugin.h>
#include <lopt/schedule.h>

namespace lopt {

/// How many steps the problem has, a float32 scalar; one that does not say counts as 1,000.
inline Tensor problem_steps(const UpdateContext& context) {
  constexpr double not_known = 1000;
  const Tensor steps = schedule_context(context).steps;
  return steps ? steps : full({}, not_known);
}

}  // namespace lopt
