#pragma once
// What is done only now and then.

#include <lopt/plugin.h>

namespace lopt {

/// Whether an int32 count is a multiple of `every`.
inline Tensor is_due(const Tensor& count, std::int64_t every) {
  return remainder(count, full({}, static_cast<double>(every), DType::int32)) == zeros({}, DType::int32);
}
/// a where the condition, a scalar, holds, else b.
inline Tree chosen(const Tensor& condition, const Tree& a, const Tree& b) {
  return map([&](const Tensor& x, const Tensor& y) { return where(broadcast_to(condition, x.shape()), x, y); }, a, b);
}

}  // namespace lopt
