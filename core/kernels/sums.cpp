// SIMD kernels of sums and maxima.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/sums.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/highway.h>

#include "kernels/kernels.h"
#include "kernels/vectors-inl.h"

#include <algorithm>
#include <type_traits>

HWY_BEFORE_NAMESPACE();
namespace lopt::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <std::size_t a_count, std::size_t b_count>
HWY_INLINE void outer_block(const float* a, std::ptrdiff_t a_stride, const float* b, std::ptrdiff_t b_stride,
                            float* out, std::size_t out_stride, std::size_t rows) {
  const D d;
  const std::size_t lanes = hn::Lanes(d);
  V sum[a_count][b_count];
  for (auto& row : sum)
    for (V& s : row) s = hn::Zero(d);
  auto step = [&](auto load) {
    V right[b_count];
    for (std::size_t j = 0; j < b_count; ++j) right[j] = load(b + static_cast<std::ptrdiff_t>(j) * b_stride);
    for (std::size_t i = 0; i < a_count; ++i) {
      const V left = load(a + static_cast<std::ptrdiff_t>(i) * a_stride);
      for (std::size_t j = 0; j < b_count; ++j) sum[i][j] = hn::MulAdd(left, right[j], sum[i][j]);
    }
  };
  std::size_t r = 0;
  for (; r + lanes <= rows; r += lanes) step([&](const float* p) { return hn::LoadU(d, p + r); });
  if (r < rows) {
    const FirstElements<D> rest(d, rows - r);
    step([&](const float* p) { return rest.load(p + r); });
  }
  for (std::size_t i = 0; i < a_count; ++i)
    for (std::size_t j = 0; j < b_count; ++j) out[i * out_stride + j] += hn::GetLane(hn::SumOfLanes(d, sum[i][j]));
}
template <std::size_t a_count>
void outer_rows(const float* a, std::ptrdiff_t a_stride, const float* b, std::ptrdiff_t b_stride, std::size_t columns,
                float* out, std::size_t out_stride, std::size_t rows) {
  std::size_t j = 0;
  auto at = [&](std::size_t column) { return b + static_cast<std::ptrdiff_t>(column) * b_stride; };
  for (; j + 4 <= columns; j += 4) outer_block<a_count, 4>(a, a_stride, at(j), b_stride, out + j, out_stride, rows);
  if (columns - j == 3) return outer_block<a_count, 3>(a, a_stride, at(j), b_stride, out + j, out_stride, rows);
  if (columns - j == 2) return outer_block<a_count, 2>(a, a_stride, at(j), b_stride, out + j, out_stride, rows);
  if (columns - j == 1) return outer_block<a_count, 1>(a, a_stride, at(j), b_stride, out + j, out_stride, rows);
}
void outer(const float* a, std::ptrdiff_t a_stride, std::size_t inner, const float* b, std::ptrdiff_t b_stride,
           std::size_t columns, float* out, std::size_t out_stride, std::size_t rows) {
  std::size_t i = 0;
  auto at = [&](std::size_t row) { return a + static_cast<std::ptrdiff_t>(row) * a_stride; };
  for (; i + 4 <= inner; i += 4)
    outer_rows<4>(at(i), a_stride, b, b_stride, columns, out + i * out_stride, out_stride, rows);
  if (inner - i == 3)
    return outer_rows<3>(at(i), a_stride, b, b_stride, columns, out + i * out_stride, out_stride, rows);
  for (; i < inner; ++i) outer_rows<1>(at(i), a_stride, b, b_stride, columns, out + i * out_stride, out_stride, rows);
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
  for (std::size_t j = 0; j < columns; ++j) out[j] += sum_of(x + static_cast<std::ptrdiff_t>(j) * x_stride, rows);
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
    float result = x[0];
    for (std::size_t i = 1; i < count; ++i) result = x[i] > result || x[i] != x[i] ? x[i] : result;
    return result;
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
    for (std::size_t i = 0; i < inner; i += lanes) {
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
  static const SumKernels result{outer,          row_sum, column_reduce<Plus>, column_reduce<Larger>, reduce<Plus>,
                                 reduce<Larger>, add};
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
