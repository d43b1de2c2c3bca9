#pragma once
// What schedules over a whole run have in common.

#include <lopt/plugin.h>

namespace lopt {

/// `steps` as a setting: how many updates the schedule takes, 0 for those of the run.
inline std::int64_t schedule_steps(Settings& s) {
  return s.integer("steps", 0).at_least(0).unit("steps").doc("that it takes; 0: those of the run");
}

/// The share of the schedule that is over, from 0 at the first update to (steps − 1) / steps at the last of it, then 1.
inline Tensor progress(const ScheduleContext& context, std::int64_t steps) {
  if (steps > 0) return minimum(context.step / static_cast<double>(steps), 1);
  if (!context.steps) throw std::invalid_argument("needs to know how many updates there are: set `steps`");
  return minimum(context.step / maximum(context.steps, 1), 1);
}

}  // namespace lopt
