// Functions of matrices that are made of products.
#include "unit/support.h"

#include <lopt/matrices.h>

#include "catch.h"

#include <cmath>

using namespace lopt;
using namespace lopt::test;

namespace {

Array run(const Tensor& input, const Tensor& output, const Array& value) {
  return compile(make_program("test", {input}, {output})).run(std::vector<Array>{value})[0];
}

/// [m, n] of numbers that are normally distributed, the last row a hundredth of the first.
Array uneven(std::int64_t m, std::int64_t n) {
  Array result = normal(HostKey::from_seed(3), {m, n});
  const std::span<float> values = result.mutable_values<float>();
  for (std::int64_t i = 0; i < m; ++i)
    for (std::int64_t j = 0; j < n; ++j)
      values[static_cast<std::size_t>(i * n + j)] *=
          static_cast<float>(std::pow(10, -2.0 * static_cast<double>(i) / static_cast<double>(m)));
  return result;
}

/// a bᵀ of matrices that lie row by row, [m, n] and [m, n].
std::vector<double> rows_by_rows(std::span<const float> a, std::span<const float> b, std::size_t m, std::size_t n) {
  std::vector<double> result(m * m);
  for (std::size_t i = 0; i < m; ++i)
    for (std::size_t j = 0; j < m; ++j)
      for (std::size_t k = 0; k < n; ++k)
        result[i * m + j] += static_cast<double>(a[i * n + k]) * static_cast<double>(b[j * n + k]);
  return result;
}

}  // namespace

TEST_CASE("the orthogonal factor has orthonormal rows, and is the one that is nearest") {
  const auto [m, n] = GENERATE(std::pair<std::int64_t, std::int64_t>{1, 7}, std::pair<std::int64_t, std::int64_t>{5, 9},
                               std::pair<std::int64_t, std::int64_t>{40, 300});
  const Tensor x = make_input("x", {DType::float32, {m, n}});
  const Array value = uneven(m, n), factor = run(x, orthogonal_factor(x), value);
  const auto rows = static_cast<std::size_t>(m), columns = static_cast<std::size_t>(n);
  const std::vector<double> gram = rows_by_rows(factor.values<float>(), factor.values<float>(), rows, columns),
                            polar = rows_by_rows(factor.values<float>(), value.values<float>(), rows, columns);
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t j = 0; j < rows; ++j) {
      CHECK(std::abs(gram[i * rows + j] - (i == j)) < 0.03);
      // O xᵀ is symmetric where O is x's polar factor.
      CHECK(std::abs(polar[i * rows + j] - polar[j * rows + i]) < 1e-3 * std::abs(polar[0]));
    }
  // What is taller than wide is the same, turned.
  const Tensor tall = make_input("x", {DType::float32, {n, m}});
  const Array turned = run(x, transpose(x), value), back = run(tall, transpose(orthogonal_factor(tall)), turned);
  for (std::size_t i = 0; i < rows * columns; ++i)
    CHECK(std::abs(back.values<float>()[i] - factor.values<float>()[i]) < 1e-5F);
}

TEST_CASE("blocks are about equal, and each is orthogonal by itself") {
  struct Case {
    std::int64_t rows, columns, block, height;
  };
  const auto c = GENERATE(Case{12, 20, 64, 12}, Case{12, 20, 5, 5}, Case{100, 130, 64, 64}, Case{96, 130, 64, 48},
                          Case{20, 12, 6, 6});
  const Tensor x = make_input("x", {DType::float32, {c.rows, c.columns}});
  const bool tall = c.rows > c.columns;
  const Array value = normal(HostKey::from_seed(5), {c.rows, c.columns});
  const Tensor blocks = orthogonal_blocks(x, c.block);
  const Array got = run(x, tall ? transpose(blocks) : blocks, value);
  const std::int64_t rows = tall ? c.columns : c.rows, columns = tall ? c.rows : c.columns;
  for (std::int64_t first = 0; first < rows; first += c.height) {
    const std::int64_t last = std::min(first + c.height, rows);
    const Tensor whole = tall ? transpose(x) : x;
    const Array alone = run(x, orthogonal_factor(slice(whole, {first, 0}, {last, columns})), value);
    for (std::int64_t i = 0; i < (last - first) * columns; ++i)
      CHECK(std::abs(alone.values<float>()[static_cast<std::size_t>(i)] -
                     got.values<float>()[static_cast<std::size_t>(first * columns + i)]) < 1e-3F);
  }
}

TEST_CASE("zeros, and matrices whose rank is not full, have an orthogonal factor that is finite") {
  const Tensor x = make_input("x", {DType::float32, {6, 10}});
  Array value({6, 10}, std::vector<float>(60, 0.0F));
  const Array nothing = run(x, orthogonal_factor(x), value);
  for (const float element : nothing.values<float>()) CHECK(element == 0);
  for (std::size_t j = 0; j < 10; ++j) value.mutable_values<float>()[j] = static_cast<float>(j) - 3;
  const Array factor = run(x, orthogonal_factor(x), value);
  double squares = 0;
  for (const float element : factor.values<float>())
    squares += static_cast<double>(element) * static_cast<double>(element);
  CHECK(std::abs(squares - 1) < 0.03);
}
