#include <lopt/matrices.h>
#include <lopt/scan.h>

#include <cmath>
#include <numeric>

namespace lopt {
namespace {

/// ‖x‖ over the last two dimensions, which stay as lengths of 1.
Tensor matrix_norm(const Tensor& x) { return expand_dims(expand_dims(norm(x, {-2, -1}), -1), -1); }

}  // namespace

Tensor identity_matrix(std::int64_t n, double value) {
  std::vector<float> elements(static_cast<std::size_t>(n * n), 0.0F);
  for (std::int64_t i = 0; i < n; ++i) elements[static_cast<std::size_t>(i * (n + 1))] = static_cast<float>(value);
  return Tensor(Array({n, n}, elements));
}

Tensor transposed(const Tensor& x) {
  std::vector<int> axes(static_cast<std::size_t>(x.rank()));
  std::iota(axes.begin(), axes.end(), 0);
  std::swap(axes[axes.size() - 1], axes[axes.size() - 2]);
  return transpose(x, axes);
}

Tensor newton_schulz(const Tensor& matrix, int iterations, double epsilon) {
  const bool tall = matrix.dim(-2) > matrix.dim(-1);
  Tensor x = tall ? transposed(matrix) : matrix;
  x = x / (matrix_norm(x) + epsilon);
  for (int i = 0; i < iterations; ++i) {
    const Tensor a = matmul(x, transposed(x));
    x = 3.4445 * x + matmul(-4.7750 * a + 2.0315 * matmul(a, a), x);
  }
  return tall ? transposed(x) : x;
}

Tensor inverse_root(const Tensor& a, int p, int iterations) {
  const auto order = static_cast<double>(p);
  const Tensor one = identity_matrix(a.dim(-1)), z = (1 + order) / 2 / matrix_norm(a);
  Tensor m = z * a, x = power(z, 1 / order) * one;
  for (int i = 0; i < iterations; ++i) {
    const Tensor t = ((order + 1) * one - m) / order;
    Tensor factor = t;
    for (int k = 1; k < p; ++k) factor = matmul(factor, t);
    x = matmul(x, t);
    m = matmul(factor, m);
  }
  return x;
}

Tensor orthonormal_columns(const Tensor& x) {
  const std::int64_t m = x.dim(0), n = x.dim(1);
  // Row k of `basis` is column k of the result, once it is known, and zeros before.
  const auto step = [&](const std::vector<Tensor>& carry, const std::vector<Tensor>& of_column) {
    const Tensor& basis = carry[0];
    const Tensor &column = of_column[0], &place = of_column[1];
    Tensor rest = reshape(column, {1, m});
    for (int time = 0; time < 2; ++time) rest = rest - matmul(matmul(rest, transpose(basis)), basis);
    return ScanStep{{basis + matmul(reshape(place, {n, 1}), normalize(rest))}, {}};
  };
  return transpose(scan(step, {zeros({n, m})}, {transpose(x), identity_matrix(n)}).carry[0]);
}

}  // namespace lopt
