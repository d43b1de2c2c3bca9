#include <lopt/matrices.h>
#include <lopt/scan.h>

#include <algorithm>
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
    // A is symmetric, so A² = A Aᵀ: products whose halves are the same.
    const Tensor a = matmul(x, transposed(x)), squared = matmul(a, transposed(a));
    x = 3.4445 * x + matmul(-4.7750 * a + 2.0315 * squared, x);
  }
  return tall ? transposed(x) : x;
}

Tensor orthogonal_factor(const Tensor& matrix, double least) {
  constexpr double enough = 0.99;
  const bool tall = matrix.dim(-2) > matrix.dim(-1);
  const Tensor x = tall ? transposed(matrix) : matrix;
  const Tensor one = identity_matrix(x.dim(-2)), gram = matmul(x, transposed(x)), size = matrix_norm(gram) + 1e-30;
  Tensor y = gram / size + 0.5 * least * least * one, root;
  for (double l = least; l < enough;) {
    const double alpha = std::sqrt(3 / (1 + l + l * l)), cubed = alpha * alpha * alpha;
    const Tensor q = 1.5 * alpha * one - 0.5 * cubed * y;
    root = l == least ? q : matmul(q, root);
    l *= 1.5 * alpha - 0.5 * cubed * l * l;
    if (l < enough) y = matmul(matmul(q, y), q);
  }
  const Tensor result = matmul(root * rsqrt(size), x);
  return tall ? transposed(result) : result;
}

Tensor orthogonal_blocks(const Tensor& matrix, std::int64_t block, double least) {
  const bool tall = matrix.dim(0) > matrix.dim(1);
  const Tensor x = tall ? transpose(matrix) : matrix;
  const std::int64_t rows = x.dim(0), columns = x.dim(1);
  // As equal as vectors are used well: of 16 rows, or 32, and so on.
  constexpr std::int64_t multiple = 16;
  const std::int64_t count = (rows + block - 1) / block, equal = (rows + count - 1) / count;
  const std::int64_t height = std::min(block, (equal + multiple - 1) / multiple * multiple), whole = rows / height;
  std::vector<Tensor> parts;
  if (whole > 0) {
    const Tensor blocks = reshape(slice(x, {0, 0}, {whole * height, columns}), {whole, height, columns});
    parts.push_back(reshape(orthogonal_factor(blocks, least), {whole * height, columns}));
  }
  if (whole * height < rows) parts.push_back(orthogonal_factor(slice(x, {whole * height, 0}, {rows, columns}), least));
  const Tensor result = parts.size() == 1 ? parts[0] : concatenate(parts, 0);
  return tall ? transpose(result) : result;
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
