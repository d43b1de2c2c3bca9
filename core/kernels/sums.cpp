// SIMD kernels of sums and maxima.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/sums.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/highway.h>

#include "kernels/kernels.h"
#include "kernels/transpose-inl.h"
#include "kernels/vectors-inl.h"

#include <algorithm>
#include <type_traits>

HWY_BEFORE_NAMESPACE();
namespace lopt::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// Sums over rows of few columns times many, in one vector each: `wide_count` (at most 4) of the many at once.
template <std::size_t narrow_count, std::size_t wide_count>
HWY_INLINE void outer_block(const float* const* narrow, const float* const* wide_side, float* out,
                            std::size_t narrow_stride, std::size_t wide_stride, std::size_t rows) {
  const D d;
  const std::size_t lanes = hn::Lanes(d);
  V sum[narrow_count][4];
  for (auto& row : sum)
    for (V& s : row) s = hn::Zero(d);
  auto step = [&](auto load) {
    V left[narrow_count];
    for (std::size_t i = 0; i < narrow_count; ++i) left[i] = load(narrow[i]);
    for (std::size_t j = 0; j < wide_count; ++j) {
      const V right = load(wide_side[j]);
      for (std::size_t i = 0; i < narrow_count; ++i) sum[i][j] = hn::MulAdd(left[i], right, sum[i][j]);
    }
  };
  std::size_t r = 0;
  for (; r + lanes <= rows; r += lanes) step([&](const float* p) { return hn::LoadU(d, p + r); });
  if (r < rows) {
    const FirstElements<D> rest(d, rows - r);
    step([&](const float* p) { return rest.load(p + r); });
  }
  for (std::size_t i = 0; i < narrow_count; ++i) {
    HWY_ALIGN float sums[4];
    hn::Store(sums_of_four(sum[i][0], sum[i][1], sum[i][2], sum[i][3]), D4(), sums);
    for (std::size_t j = 0; j < wide_count; ++j) out[i * narrow_stride + j * wide_stride] += sums[j];
  }
}
template <std::size_t narrow_count>
void outer_narrow(const float* const* narrow, const float* const* wide_side, std::size_t count, float* out,
                  std::size_t narrow_stride, std::size_t wide_stride, std::size_t rows) {
  constexpr std::size_t most = wide || narrow_count < 4 ? 4 : 2;
  std::size_t j = 0;
  for (; j + most <= count; j += most)
    outer_block<narrow_count, most>(narrow, wide_side + j, out + j * wide_stride, narrow_stride, wide_stride, rows);
  for (; j < count; ++j)
    outer_block<narrow_count, 1>(narrow, wide_side + j, out + j * wide_stride, narrow_stride, wide_stride, rows);
}

/// Rows at a time of columns that lie beside each other: what a block of outer_wide reads stays in the first cache.
constexpr std::size_t outer_rows = 96, outer_vectors = 2;

/// out[i, j] += Σ over rows of a_i b_j for `count` of the a and `vectors` vectors of columns, b row by row.
template <std::size_t count, std::size_t vectors>
HWY_INLINE void outer_product(const float* const* a, std::size_t row, const float* b, std::size_t rows, float* out,
                              std::size_t columns, std::size_t width) {
  const D d;
  const std::size_t lanes = hn::Lanes(d);
  V sum[count][vectors];
  for (auto& s : sum)
    for (V& v : s) v = hn::Zero(d);
  for (std::size_t r = 0; r < rows; ++r, b += outer_vectors * lanes) {
    V right[vectors];
    for (std::size_t v = 0; v < vectors; ++v) right[v] = hn::Load(d, b + v * lanes);
    for (std::size_t i = 0; i < count; ++i) {
      const V left = hn::Set(d, a[i][row + r]);
      for (std::size_t v = 0; v < vectors; ++v) sum[i][v] = hn::MulAdd(left, right[v], sum[i][v]);
    }
  }
  for (std::size_t i = 0; i < count; ++i)
    for (std::size_t v = 0; v < vectors && v * lanes < width; ++v) {
      const FirstElements<D> part(d, HWY_MIN(lanes, width - v * lanes));
      float* to = out + i * columns + v * lanes;
      part.store(hn::Add(part.load(to), sum[i][v]), to);
    }
}
template <std::size_t vectors>
void outer_products(const float* const* a, std::size_t inner, std::size_t row, const float* b, std::size_t rows,
                    float* out, std::size_t columns, std::size_t width) {
  constexpr std::size_t most = wide ? 12 : 6;
  std::size_t i = 0;
  for (; i + most <= inner; i += most)
    outer_product<most, vectors>(a + i, row, b, rows, out + i * columns, columns, width);
  for (; i + 4 <= inner; i += 4) outer_product<4, vectors>(a + i, row, b, rows, out + i * columns, columns, width);
  for (; i < inner; ++i) outer_product<1, vectors>(a + i, row, b, rows, out + i * columns, columns, width);
}
/// Many columns times many: rows of b, so that a vector holds columns and nothing is summed across its lanes.
void outer_wide(const float* const* a, std::size_t inner, const float* const* b, std::size_t columns, float* out,
                std::size_t rows) {
  const std::size_t lanes = hn::Lanes(D()), block = outer_vectors * lanes;
  HWY_ALIGN float by_row[outer_rows * outer_vectors * max_lanes];
  for (std::size_t row = 0; row < rows; row += outer_rows)
    for (std::size_t j = 0; j < columns; j += block) {
      const std::size_t count = HWY_MIN(outer_rows, rows - row), width = HWY_MIN(block, columns - j);
      const float* from[outer_vectors * max_lanes];
      for (std::size_t k = 0; k < block; ++k) from[k] = b[j + HWY_MIN(k, width - 1)] + row;
      columns_to_rows(from, block, by_row, block, count);
      if (width > lanes)
        outer_products<outer_vectors>(a, inner, row, by_row, count, out + j, columns, width);
      else
        outer_products<1>(a, inner, row, by_row, count, out + j, columns, width);
    }
}
void outer(const float* const* a, std::size_t inner, const float* const* b, std::size_t columns, float* out,
           std::size_t rows) {
  const bool few_a = inner <= columns;
  const auto *narrow = few_a ? a : b, *wide_side = few_a ? b : a;
  const std::size_t count = few_a ? columns : inner, narrow_stride = few_a ? columns : 1,
                    wide_stride = few_a ? 1 : columns;
  switch (few_a ? inner : columns) {
    case 1: return outer_narrow<1>(narrow, wide_side, count, out, narrow_stride, wide_stride, rows);
    case 2: return outer_narrow<2>(narrow, wide_side, count, out, narrow_stride, wide_stride, rows);
    case 3: return outer_narrow<3>(narrow, wide_side, count, out, narrow_stride, wide_stride, rows);
    case 4: return outer_narrow<4>(narrow, wide_side, count, out, narrow_stride, wide_stride, rows);
    default: return outer_wide(a, inner, b, columns, out, rows);
  }
}

float sum_of(const float* x, std::size_t count) {
  const D d;
  const std::size_t lanes = hn::Lanes(d);
  V sum[4] = {hn::Zero(d), hn::Zero(d), hn::Zero(d), hn::Zero(d)};
  std::size_t i = 0;
  for (; i + 4 * lanes <= count; i += 4 * lanes)
    for (std::size_t v = 0; v < 4; ++v) sum[v] = hn::Add(sum[v], hn::LoadU(d, x + i + v * lanes));
  for (; i + lanes <= count; i += lanes) sum[0] = hn::Add(sum[0], hn::LoadU(d, x + i));
  if (i < count) sum[1] = hn::Add(sum[1], FirstElements<D>(d, count - i).load(x + i));
  return hn::GetLane(hn::SumOfLanes(d, hn::Add(hn::Add(sum[0], sum[1]), hn::Add(sum[2], sum[3]))));
}
void row_sum(const float* x, std::ptrdiff_t x_stride, std::size_t columns, float* out, std::size_t rows) {
  const D d;
  const std::size_t lanes = hn::Lanes(d);
  std::size_t j = 0;
  for (; j + 4 <= columns; j += 4, x += 4 * x_stride) {
    V sum[4] = {hn::Zero(d), hn::Zero(d), hn::Zero(d), hn::Zero(d)};
    std::size_t r = 0;
    for (; r + lanes <= rows; r += lanes)
      for (std::ptrdiff_t k = 0; k < 4; ++k) sum[k] = hn::Add(sum[k], hn::LoadU(d, x + k * x_stride + r));
    if (r < rows) {
      const FirstElements<D> rest(d, rows - r);
      for (std::ptrdiff_t k = 0; k < 4; ++k) sum[k] = hn::Add(sum[k], rest.load(x + k * x_stride + r));
    }
    const D4 four;
    hn::StoreU(hn::Add(hn::LoadU(four, out + j), sums_of_four(sum[0], sum[1], sum[2], sum[3])), four, out + j);
  }
  for (; j < columns; ++j, x += x_stride) out[j] += sum_of(x, rows);
}

struct Plus {
  template <class T>
  auto operator()(D, T a, T b) const {
    return hn::Add(a, b);
  }
  static constexpr float start = 0;
};
struct Larger {
  template <class T>
  auto operator()(D d, T a, T b) const {
    return larger(d, a, b);
  }
  static constexpr float start = -infinity;
};

template <class Operator>
void column_reduce(const float* x, std::ptrdiff_t x_stride, std::size_t columns, float* out, std::size_t rows) {
  const D d;
  for (std::size_t r = 0; r < rows; r += hn::Lanes(d)) {
    V result = hn::LoadU(d, x + r);
    for (std::size_t j = 1; j < columns; ++j)
      result = Operator()(d, result,
                          hn::LoadU(d, x + static_cast<std::ptrdiff_t>(j) * x_stride + static_cast<std::ptrdiff_t>(r)));
    hn::StoreU(result, d, out + r);
  }
}

/// Along the innermost dimension.
template <class Operator>
float reduce_run(const float* x, std::size_t count) {
  if constexpr (std::is_same_v<Operator, Plus>) {
    // Blocks keep round-off small: its growth is that of the number of blocks.
    float total = 0;
    for (std::size_t i = 0; i < count; i += 65536) total += sum_of(x + i, std::min<std::size_t>(65536, count - i));
    return total;
  } else {
    // In vectors of larger ones; any NaN that one holds wins in the end.
    const D d;
    const std::size_t lanes = hn::Lanes(d);
    V most[4] = {hn::Set(d, x[0]), hn::Set(d, x[0]), hn::Set(d, x[0]), hn::Set(d, x[0])};
    std::size_t i = 0;
    for (; i + 4 * lanes <= count; i += 4 * lanes)
      for (std::size_t v = 0; v < 4; ++v) most[v] = Operator()(d, most[v], hn::LoadU(d, x + i + v * lanes));
    for (; i + lanes <= count; i += lanes) most[0] = Operator()(d, most[0], hn::LoadU(d, x + i));
    if (i < count && count > lanes) {  // what was looked at already does no harm
      most[1] = Operator()(d, most[1], hn::LoadU(d, x + count - lanes));
      i = count;
    }
    const V all = Operator()(d, Operator()(d, most[0], most[1]), Operator()(d, most[2], most[3]));
    if (i == count && hn::AllFalse(d, hn::IsNaN(all))) return hn::GetLane(hn::MaxOfLanes(d, all));
    HWY_ALIGN float each[max_lanes];
    hn::Store(all, d, each);
    float result = each[0];
    auto take = [&](float y) { result = y > result || y != y ? y : result; };
    for (std::size_t k = 1; k < lanes; ++k)
      if (result == result) take(each[k]);
    for (; i < count; ++i)
      if (result == result) take(x[i]);
    return result;
  }
}
void row_max(const float* x, std::ptrdiff_t x_stride, std::size_t columns, float* out, std::size_t rows) {
  for (std::size_t j = 0; j < columns; ++j, x += x_stride) {
    const float most = reduce_run<Larger>(x, rows);
    if (most > out[j] || most != most) out[j] = most;
  }
}
template <class Operator>
void reduce(const float* from, float* to, std::size_t outer_count, std::size_t reduced, std::size_t inner) {
  const D d;
  const std::size_t lanes = hn::Lanes(d);
  for (std::size_t o = 0; o < outer_count; ++o, from += reduced * inner, to += inner) {
    if (inner == 1) {
      *to = reduce_run<Operator>(from, reduced);
      continue;
    }
    std::size_t i = 0;
    for (constexpr std::size_t together = 4; i + together * lanes <= inner; i += together * lanes) {
      V result[together];
      for (std::size_t v = 0; v < together; ++v) result[v] = hn::LoadU(d, from + i + v * lanes);
      for (std::size_t r = 1; r < reduced; ++r)
        for (std::size_t v = 0; v < together; ++v)
          result[v] = Operator()(d, result[v], hn::LoadU(d, from + r * inner + i + v * lanes));
      for (std::size_t v = 0; v < together; ++v) hn::StoreU(result[v], d, to + i + v * lanes);
    }
    for (; i < inner; i += lanes) {
      const std::size_t count = std::min(lanes, inner - i);
      const FirstElements<D> part(d, count);
      V result = part.load(from + i);
      for (std::size_t r = 1; r < reduced; ++r) result = Operator()(d, result, part.load(from + r * inner + i));
      part.store(result, to + i);
    }
  }
}

void add(const float* from, float* to, std::size_t count) {
  const D d;
  const std::size_t lanes = hn::Lanes(d);
  std::size_t i = 0;
  for (; i + lanes <= count; i += lanes) hn::StoreU(hn::Add(hn::LoadU(d, to + i), hn::LoadU(d, from + i)), d, to + i);
  for (; i < count; ++i) to[i] += from[i];
}

const SumKernels* make_sums() {
  static const SumKernels result{outer,        row_sum,        row_max, column_reduce<Plus>, column_reduce<Larger>,
                                 reduce<Plus>, reduce<Larger>, add};
  return &result;
}

}  // namespace lopt::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lopt::kernels {
HWY_EXPORT(make_sums);
const SumKernels& sums() { return *HWY_DYNAMIC_DISPATCH(make_sums)(); }
}  // namespace lopt::kernels
#endif
