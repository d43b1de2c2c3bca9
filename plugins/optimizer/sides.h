#pragma once
// What optimizers with a preconditioner on each side of a matrix have in common.

#include <lopt/plugin.h>

namespace lopt {

/// A tensor of two dimensions or more as a matrix of all but the last dimension by the last.
inline Tensor as_matrix(const Tensor& x) { return reshape(x, {-1, x.dim(-1)}); }
inline Shape matrix_shape(const Tensor& x) { return {element_count(x.shape()) / x.dim(-1), x.dim(-1)}; }

/// For each tensor f(tensor, n, side): n is the length of a side of its matrix, side 0 (rows) or 1 (columns), where it
/// has a matrix on that side: of two dimensions or more, and at most `longest` long. A scalar stands for none.
template <class Function>
Tree for_side(const Tree& params, int side, std::int64_t longest, Function f) {
  return map(
      [&](const Tensor& p) {
        const std::int64_t n = p.rank() >= 2 ? matrix_shape(p)[static_cast<std::size_t>(side)] : 0;
        return n > 0 && n <= longest ? f(p, n) : zeros({});
      },
      params);
}

}  // namespace lopt
