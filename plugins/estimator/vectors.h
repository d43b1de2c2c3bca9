#pragma once
// Trees as vectors.

#include <lopt/estimator.h>

namespace lopt {

/// factor · tree; 0 where the factor is, whatever the tree holds.
inline Values scaled(const Values& tree, double factor) {
  Values result = zeros_like(tree);
  if (factor != 0) add_scaled(result, static_cast<float>(factor), tree);
  return result;
}

/// How many elements a tree has.
inline std::int64_t weights_of(const Values& tree) {
  std::int64_t count = 0;
  for (const Array& leaf : tree.leaves()) count += static_cast<std::int64_t>(leaf.size());
  return count;
}

/// What of a vector is orthogonal to an orthonormal basis (Gram and Schmidt, twice: Kahan).
inline Values orthogonal_part(Values vector, const std::vector<Values>& basis) {
  for (int pass = 0; pass < 2; ++pass)
    for (const Values& other : basis) add_scaled(vector, -static_cast<float>(dot(vector, other)), other);
  return vector;
}

}  // namespace lopt
