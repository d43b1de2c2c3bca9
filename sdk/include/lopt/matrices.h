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

/// The matrix with orthonormal rows (of what is taller than wide: columns) that is nearest to x. Singular values from
/// `least` of the largest come out as 1 ± 0.01, smaller ones in proportion. All iterations are of the Gram matrix
/// G = x xᵀ, of the smaller dimension: Y = G / ‖G‖ + ½ least², R = 1; α² = 3 / (1 + l + l²), Q = (3α − α³ Y) / 2,
/// R ← Q R, Y ← Q Y Q, l ← l (3α − α³ l²) / 2 until l is 0.99 (Newton and Schulz, each step scaled to do its best for
/// singular values in [l, 1]: Chen and Chow, A stable scaling of Newton-Schulz for improving the sign function
/// computation of a Hermitian matrix, 2014); then R x once.
Tensor orthogonal_factor(const Tensor& x, double least = 1e-3);

/// Of a matrix: the same of blocks of at most `block` rows (of what is taller than wide: columns), about equal: of a
/// multiple of 16 rows, and the last of what is left. What a step costs is then proportional to the elements of x, and
/// not to their power of 3/2.
Tensor orthogonal_blocks(const Tensor& x, std::int64_t block, double least = 1e-3);

/// a^(−1/p) of a symmetric positive definite matrix a [n, n], p an integer from 1, by the coupled iteration of Newton
/// (Guo and Higham, 2006): M = z·a, X = z^(1/p)·1, z = (1 + p) / (2 ‖a‖); T = ((p + 1)·1 − M) / p, X ← X T, M ← Tᵖ M.
/// An eigenvalue of z·a of λ wants about log(1/λ) iterations.
Tensor inverse_root(const Tensor& a, int p, int iterations = 30);

/// An orthonormal basis of the columns of x [m, n], m ≥ n, in their order, by Gram and Schmidt's process, each column
/// twice (Giraud et al., 2005): the Q of x = Q R with a positive diagonal. The whole is one loop of n steps.
Tensor orthonormal_columns(const Tensor& x);

}  // namespace lopt
