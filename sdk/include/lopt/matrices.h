#pragma once
// Functions of matrices that optimizers precondition with, by iterations of products alone: of the last two dimensions,
// for any leading ones.

#include <lopt/tensor.h>

namespace lopt {

/// value · 1, [n, n].
Tensor identity_matrix(std::int64_t n, double value = 1);

/// x with its last two dimensions exchanged.
Tensor transposed(const Tensor& x);

/// Near the orthogonal matrix that is nearest to x, with singular values about 1 ± 0.3: x ← x / (‖x‖ + ε), then
/// iterations of A = x xᵀ, x ← 3.4445 x + (−4.7750 A + 2.0315 A²) x; what is taller than wide is turned before (Jordan
/// et al., Muon, 2024).
Tensor newton_schulz(const Tensor& x, int iterations = 5, double epsilon = 1e-7);

/// a^(−1/p) of a symmetric positive definite matrix a [n, n], p an integer from 1, by the coupled iteration of Newton
/// (Guo and Higham, 2006): M = z·a, X = z^(1/p)·1, z = (1 + p) / (2 ‖a‖); T = ((p + 1)·1 − M) / p, X ← X T, M ← Tᵖ M.
/// An eigenvalue of z·a of λ wants about log(1/λ) iterations.
Tensor inverse_root(const Tensor& a, int p, int iterations = 30);

/// An orthonormal basis of the columns of x [m, n], m ≥ n, in their order, by Gram and Schmidt's process, each column
/// twice (Giraud et al., 2005): the Q of x = Q R with a positive diagonal. The whole is one loop of n steps.
Tensor orthonormal_columns(const Tensor& x);

}  // namespace lopt
