#pragma once
// The derivatives of loops over time: a vector-Jacobian product is a loop the other way, a Jacobian-vector product one
// the same way.

#include "gradient/bound_body.h"

namespace lopt {

std::vector<Tensor> scan_vjp(const Vjp& v);
Tensor scan_jvp(const Jvp& j);

/// A loop that was put together, and the parts of what comes out.
struct AppliedLoop {
  ScanBody body;
  Tensor flat;
  ScanParts parts;
};
AppliedLoop apply_loop(BoundBody loop);

/// Index t of the first dimension.
Tensor at_time(const Tensor& x, std::int64_t t);
/// Times first … end − 1.
Tensor times(const Tensor& x, std::int64_t first, std::int64_t end);
std::vector<Tensor> inputs_like(std::string_view name, const std::vector<Tensor>& values);

}  // namespace lopt
