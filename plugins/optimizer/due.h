#pragma once
// What is done only now and then.

#include <lopt/plugin.h>
#include <lopt/scan.h>

namespace lopt {

/// Whether an int32 count is a multiple of `every`.
inline Tensor is_due(const Tensor& count, std::int64_t every) {
  return remainder(count, full({}, static_cast<double>(every), DType::int32)) == zeros({}, DType::int32);
}
/// a where the condition, a scalar, holds, else b.
inline Tree chosen(const Tensor& condition, const Tree& a, const Tree& b) {
  return map([&](const Tensor& x, const Tensor& y) { return where(broadcast_to(condition, x.shape()), x, y); }, a, b);
}

/// f(a, operands) where the condition, a scalar, holds, else a. What f makes of these is computed only then.
template <class Function>
Tree updated_if(const Tensor& condition, const Tree& a, std::vector<Tensor> operands, Function f) {
  const std::vector<Tensor> own = a.leaves();
  operands.insert(operands.begin(), own.begin(), own.end());
  const auto split = static_cast<std::ptrdiff_t>(own.size());
  const Branch update = [&](const std::vector<Tensor>& x) {
    return f(a.with_leaves<Tensor>(std::vector(x.begin(), x.begin() + split)), std::vector(x.begin() + split, x.end()))
        .leaves();
  };
  const Branch keep = [&](const std::vector<Tensor>& x) { return std::vector(x.begin(), x.begin() + split); };
  return a.with_leaves<Tensor>(cond(condition, update, keep, operands));
}

}  // namespace lopt
