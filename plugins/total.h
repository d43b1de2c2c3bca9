#pragma once
// A sum over tensors of what is one number for each.

#include <lopt/tensor.h>

#include <vector>

namespace lopt {

/// In their order; 0 of none.
inline Tensor total(const std::vector<Tensor>& scalars) {
  Tensor result = zeros({});
  for (const Tensor& scalar : scalars) result = result + scalar;
  return result;
}

}  // namespace lopt
