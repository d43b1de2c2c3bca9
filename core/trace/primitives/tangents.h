#pragma once
// Jacobian-vector rules that many primitives share.

#include "trace/node.h"

namespace lopt {

/// a + b, where an empty one is 0.
Tensor sum_of_tangents(const Tensor& a, const Tensor& b);
/// Of an elementwise primitive: its Jacobians are diagonal, each its own transpose, so dy = Σ vjp(dx).
Tensor diagonal_tangent(const Jvp& j);
/// Of a primitive that is linear in its real inputs together: the same primitive of their tangents.
Tensor linear_tangent(const Jvp& j);

}  // namespace lopt
