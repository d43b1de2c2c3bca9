#pragma once
// What an update rule does, as a picture: its step by gradient and momentum, at the start, in the middle and at the end
// of a problem.

#include "estimate/lane_unroller.h"

#include <lopt/optimizer.h>

namespace lopt {

/// Steps of parameters whose gradient has been m at every step until now, and is g at this one.
struct UpdatePicture {
  std::vector<float> axis;  // values of g and of m, the same for both, rising
  struct Moment {
    std::int64_t step;          // from 0
    std::vector<float> change;  // [m][g]: how far a parameter moves at this step
  };
  std::vector<Moment> moments;
};

/// Feeds a rule a vector of parameters, one for each pair of g and m between −0.1 and 0.1, in a problem of `steps`
/// steps whose loss is 1 throughout. Any rule has such a picture; one that looks at more than gradients has others as
/// well. Throws Interrupted where `interrupt` says true; it may be empty.
UpdatePicture update_picture(const OptimizerSource& optimizer, const Values& theta, std::int64_t steps,
                             const std::function<bool()>& interrupt = {});

}  // namespace lopt
