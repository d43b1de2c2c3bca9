#pragma once
// A bound on single losses, for estimators of whole problems.

#include <lopt/plugin.h>

#include <limits>

namespace lopt {

/// Infinite where there is none.
inline float loss_clip_of(Settings& s) {
  constexpr double none = 1e30;
  const double clip =
      s.real("loss_clip", none).above(0).at_most(none).doc("losses count at most this; NaN counts as this; 1e30: any");
  return clip < none ? static_cast<float>(clip) : std::numeric_limits<float>::infinity();
}

}  // namespace lopt
