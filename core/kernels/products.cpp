// SIMD kernels of matrix products.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/products.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/highway.h>

#include "kernels/kernels.h"
#include "kernels/vectors-inl.h"

#include <algorithm>
#include <chrono>
#include <cstring>

HWY_BEFORE_NAMESPACE();
namespace lopt::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// C = A B: blocks of `count` rows by `vectors` vectors of columns in registers.

/// Some columns of B, whose rows are contiguous.
struct Panel {
  const float* data;
  std::ptrdiff_t row;
};

template <std::size_t count, std::size_t vectors, bool partial>
HWY_INLINE void product_block(const MatrixProduct& p, const Panel& panel, std::size_t row, std::size_t column) {
  const D d;
  const std::size_t lanes = hn::Lanes(d);
  const FirstElements<D> last(d, partial ? p.n - column - (vectors - 1) * lanes : lanes);
  V sum[count][vectors];
  for (std::size_t v = 0; v < vectors; ++v) {
    V start = hn::Zero(d);
    if (p.bias)
      start = partial && v == vectors - 1 ? last.load(p.bias + column + v * lanes)
                                          : hn::LoadU(d, p.bias + column + v * lanes);
    for (std::size_t r = 0; r < count; ++r) {
      const float* so_far = p.c + (row + r) * p.c_row + column + v * lanes;
      sum[r][v] = !p.accumulate ? start : partial && v == vectors - 1 ? last.load(so_far) : hn::LoadU(d, so_far);
    }
  }
  const float* a = p.a + static_cast<std::ptrdiff_t>(row) * p.a_row;
  const float* b = panel.data;
  for (std::size_t k = 0; k < p.k; ++k, a += p.a_column, b += panel.row) {
    V right[vectors];
    for (std::size_t v = 0; v < vectors; ++v)
      right[v] = partial && v == vectors - 1 ? last.load(b + v * lanes) : hn::LoadU(d, b + v * lanes);
    for (std::size_t r = 0; r < count; ++r) {
      const V left = hn::Set(d, a[static_cast<std::ptrdiff_t>(r) * p.a_row]);
      for (std::size_t v = 0; v < vectors; ++v) sum[r][v] = hn::MulAdd(left, right[v], sum[r][v]);
    }
  }
  if (p.gate)
    for (std::size_t r = 0; r < count; ++r)
      for (std::size_t v = 0; v < vectors; ++v) {
        const float* gate = p.gate + (row + r) * p.c_row + column + v * lanes;
        const V open = partial && v == vectors - 1 ? last.load(gate) : hn::LoadU(d, gate);
        sum[r][v] = hn::IfThenElseZero(hn::Gt(open, hn::Zero(d)), sum[r][v]);
      }
  for (std::size_t r = 0; r < count; ++r)
    for (std::size_t v = 0; v < vectors; ++v) {
      float* to = p.c + (row + r) * p.c_row + column + v * lanes;
      const V result = p.relu ? relu_of(d, sum[r][v]) : sum[r][v];
      if (partial && v == vectors - 1)
        last.store(result, to);
      else
        hn::StoreU(result, d, to);
    }
}
/// Of a long sum, so much that the rows of B which a block of columns needs stay in the second cache.
constexpr std::size_t part_length = 512, longest_part = 2 * part_length;
/// Of a short sum and a B that comes from memory, so many elements of B are laid out at once: its rows are read in long
/// runs then. A B in the second cache is read as fast in short ones, and the first cache has room for the rest.
constexpr std::size_t short_panel = std::size_t{1} << 14U, elements_in_memory = std::size_t{1} << 17U;

/// B is read where it lies, or its panels are laid out one after the other: where rows are not contiguous, and where
/// they are so many that each is a page of its own.
bool lays_out(const MatrixProduct& p) {
  constexpr std::size_t few_rows = 48, many_elements = std::size_t{1} << 13U;
  return p.b_column != 1 || (p.m >= few_rows && p.k * p.n >= many_elements);
}
/// `blocks` of `width` columns of B from `column` on, one block after the other.
void lay_out(const MatrixProduct& p, std::size_t column, std::size_t width, std::size_t blocks, float* room) {
  const float* from = p.b + static_cast<std::ptrdiff_t>(column) * p.b_column;
  const std::size_t block = p.k * width;
  if (p.b_column == 1) {  // what lies beside each other is read so
    for (std::size_t k = 0; k < p.k; ++k, from += p.b_row)
      for (std::size_t j = 0; j < blocks; ++j) std::memcpy(room + j * block + k * width, from + j * width, 4 * width);
    return;
  }
  for (; blocks > 0; --blocks, room += block, from += static_cast<std::ptrdiff_t>(width) * p.b_column)
    if (p.b_row == 1)
      transpose(reinterpret_cast<const std::uint32_t*>(from), p.b_column, reinterpret_cast<std::uint32_t*>(room),
                static_cast<std::ptrdiff_t>(width), width, p.k);
    else
      for (std::size_t k = 0; k < p.k; ++k)
        for (std::size_t j = 0; j < width; ++j)
          room[k * width + j] =
              from[static_cast<std::ptrdiff_t>(k) * p.b_row + static_cast<std::ptrdiff_t>(j) * p.b_column];
}

/// `blocks` of columns beside each other: what is read of A for the first is in the first cache for the others.
template <std::size_t most_rows, std::size_t vectors, bool partial>
void product_columns(const MatrixProduct& p, std::size_t column, std::size_t blocks, float* room) {
  const std::size_t width = vectors * hn::Lanes(D()), own = partial ? p.n - column : width;
  if (room) lay_out(p, column, own, blocks, room);
  const auto panel = [&](std::size_t block) {
    return room ? Panel{room + block * own * p.k, static_cast<std::ptrdiff_t>(own)}
                : Panel{p.b + column + block * width, p.b_row};
  };
  const auto rows_from = [&]<std::size_t count>(std::size_t row, std::integral_constant<std::size_t, count>) {
    for (std::size_t block = 0; block < blocks; ++block)
      product_block<count, vectors, partial>(p, panel(block), row, column + block * width);
  };
  // Of the upper part, the rows that reach the diagonal within these columns, and those above.
  const std::size_t rows = p.upper ? std::min(p.m, column + blocks * width) : p.m;
  std::size_t row = 0;
  for (; row + most_rows <= rows; row += most_rows) rows_from(row, std::integral_constant<std::size_t, most_rows>());
  for (; row + 2 <= rows; row += 2) rows_from(row, std::integral_constant<std::size_t, 2>());
  if (row < rows) rows_from(row, std::integral_constant<std::size_t, 1>());
}
void product_part(const MatrixProduct& p) {
  // So many columns at once that A is read seldom and, of a short sum, that rows of B are read in long runs.
  constexpr std::size_t vectors = wide ? 4 : 2, least_blocks = wide ? 1 : 4, most_blocks = 4 * least_blocks;
  constexpr std::size_t panel_elements = longest_part * least_blocks * vectors * max_lanes;
  constexpr std::size_t most_rows = 6;
  constexpr std::size_t narrow_rows = wide ? 16 : 8;  // one vector of columns: as many chains of additions
  HWY_ALIGN float panel[panel_elements];
  float* const room = lays_out(p) ? panel : nullptr;
  const std::size_t lanes = hn::Lanes(D()), width = vectors * lanes;
  const std::size_t at_once = p.k * p.n < elements_in_memory
                                  ? least_blocks
                                  : std::clamp(short_panel / (p.k * width), least_blocks, most_blocks);
  std::size_t column = 0;
  for (std::size_t blocks = 0; column + width <= p.n; column += blocks * width) {
    blocks = room ? std::min(at_once, (p.n - column) / width) : 1;
    product_columns<most_rows, vectors, false>(p, column, blocks, room);
  }
  if constexpr (wide)
    for (; column + 2 * lanes <= p.n; column += 2 * lanes) product_columns<2 * most_rows, 2, false>(p, column, 1, room);
  const std::size_t rest = p.n - column;
  if (rest > lanes)
    product_columns<wide ? 2 * most_rows : most_rows, 2, true>(p, column, 1, room);
  else if (rest == lanes)
    product_columns<narrow_rows, 1, false>(p, column, 1, room);
  else if (rest > 0)
    product_columns<narrow_rows, 1, true>(p, column, 1, room);
}
void product_in_parts(const MatrixProduct& p) {
  if (p.k <= longest_part) return product_part(p);
  for (std::size_t k = 0; k < p.k; k += part_length) {
    MatrixProduct part = p;
    part.k = std::min(part_length, p.k - k);
    part.a += static_cast<std::ptrdiff_t>(k) * p.a_column;
    part.b += static_cast<std::ptrdiff_t>(k) * p.b_row;
    part.accumulate = k > 0;
    const bool is_last = k + part.k == p.k;
    part.relu = p.relu && is_last;
    part.gate = is_last ? p.gate : nullptr;
    product_part(part);
  }
}
/// Multiplies and adds in ten independent chains; returns how many operations that were.
double multiply_and_add(std::size_t rounds, float* sink) {
  const D d;
  constexpr std::size_t chains = 10;
  V sums[chains];
  for (std::size_t c = 0; c < chains; ++c) sums[c] = hn::Set(d, static_cast<float>(c));
  const V factor = hn::Set(d, 0.999F), term = hn::Set(d, 1e-6F);
  for (std::size_t r = 0; r < rounds; ++r)
    for (V& sum : sums) sum = hn::MulAdd(sum, factor, term);
  V all = sums[0];
  for (std::size_t c = 1; c < chains; ++c) all = hn::Add(all, sums[c]);
  hn::StoreU(all, d, sink);
  return 2.0 * static_cast<double>(rounds * chains * hn::Lanes(d));
}

const char* level_name() { return hwy::TargetName(HWY_TARGET); }

}  // namespace lopt::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lopt::kernels {
HWY_EXPORT(product_in_parts);
HWY_EXPORT(multiply_and_add);
HWY_EXPORT(level_name);

void multiply_matrices(const MatrixProduct& product) { HWY_DYNAMIC_DISPATCH(product_in_parts)(product); }
void copy_below_diagonal(float* c, std::size_t n, std::size_t first, std::size_t end) {
  constexpr std::size_t block = 64;
  auto* const words = reinterpret_cast<std::uint32_t*>(c);
  const auto stride = static_cast<std::ptrdiff_t>(n);
  for (std::size_t row = first; row < end; row += block) {
    const std::size_t rows = std::min(block, end - row);
    for (std::size_t column = 0; column < row; column += block)
      transpose(words + column * n + row, stride, words + row * n + column, stride, std::min(block, row - column),
                rows);
    for (std::size_t i = row; i < row + rows; ++i)
      for (std::size_t j = row; j < i; ++j) c[i * n + j] = c[j * n + i];
  }
}
const char* simd_level() { return HWY_DYNAMIC_DISPATCH(level_name)(); }

double measured_peak_flops() {
  float sink[64];
  double best = 0;
  for (int i = 0; i < 4; ++i) {
    const auto start = std::chrono::steady_clock::now();
    const double flop = HWY_DYNAMIC_DISPATCH(multiply_and_add)(1000000, sink);
    best = std::max(best, flop / std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return best;
}
}  // namespace lopt::kernels
#endif
