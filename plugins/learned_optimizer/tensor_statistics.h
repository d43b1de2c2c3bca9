#pragma once
// Numbers that stand for a whole tensor, as nn_adam, rnn_mlp_lopt and velo show them to their LSTMs.

#include <lopt/plugin.h>

namespace lopt {

/// The log of a magnitude, from −5 to 5.
inline Tensor log_size(const Tensor& x) { return clamp(log(1e-8 + abs(x)), -5, 5); }
/// Mean square distance from `centre`, a scalar: of its own mean, the variance.
inline Tensor variance(const Tensor& x, const Tensor& centre) { return mean(square(x - centre)); }

}  // namespace lopt
