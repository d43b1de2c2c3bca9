// SIMD kernels of dense layers, matrix products and sums.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/products.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/highway.h>

#include "kernels/functions-inl.h"
#include "kernels/kernels.h"

#include <algorithm>
#include <chrono>

HWY_BEFORE_NAMESPACE();
namespace lopt::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::CappedTag<float, 16>;
using V = hn::Vec<D>;
constexpr bool wide = HWY_MAX_BYTES >= 64;
constexpr std::size_t max_lanes = HWY_MAX_BYTES / 4;
/// Vectors of rows that a layer works on at once: as many as the registers hold.
constexpr std::size_t row_vectors = wide ? 4 : 2;

/// In this order the maximum keeps NaN.
HWY_INLINE V relu(D d, V x) { return hn::Max(hn::Zero(d), x); }

// Dense layers: rows across the lanes of a vector, weights as scalars.

/// `count` outputs from `first` on, for `vectors` vectors of rows.
template <std::size_t count, std::size_t vectors>
HWY_INLINE void dense_block(const float* x, std::ptrdiff_t x_stride, const Layer& layer, std::size_t first, float* out,
                            std::ptrdiff_t out_stride) {
  const D d;
  const std::size_t lanes = hn::Lanes(d);
  V sum[count][vectors];
  for (std::size_t j = 0; j < count; ++j) {
    const auto column = static_cast<std::ptrdiff_t>(first + j);
    const V start = layer.bias ? hn::Set(d, layer.bias[column * layer.bias_stride]) : hn::Zero(d);
    for (std::size_t v = 0; v < vectors; ++v)
      sum[j][v] =
          layer.accumulate ? hn::LoadU(d, out + column * out_stride + static_cast<std::ptrdiff_t>(v * lanes)) : start;
  }
  const float* w = layer.weights + static_cast<std::ptrdiff_t>(first) * layer.column_stride;
  for (std::size_t i = 0; i < layer.inputs; ++i, x += x_stride, w += layer.row_stride) {
    V in[vectors];
    for (std::size_t v = 0; v < vectors; ++v) in[v] = hn::LoadU(d, x + v * lanes);
    for (std::size_t j = 0; j < count; ++j) {
      const V weight = hn::Set(d, w[static_cast<std::ptrdiff_t>(j) * layer.column_stride]);
      for (std::size_t v = 0; v < vectors; ++v) sum[j][v] = hn::MulAdd(in[v], weight, sum[j][v]);
    }
  }
  for (std::size_t j = 0; j < count; ++j)
    for (std::size_t v = 0; v < vectors; ++v)
      hn::StoreU(layer.relu ? relu(d, sum[j][v]) : sum[j][v], d,
                 out + static_cast<std::ptrdiff_t>(first + j) * out_stride + static_cast<std::ptrdiff_t>(v * lanes));
}
template <std::size_t vectors>
void dense_rows(const float* x, std::ptrdiff_t x_stride, const Layer& layer, float* out, std::ptrdiff_t out_stride) {
  std::size_t j = 0;
  for (; j + 4 <= layer.outputs; j += 4) dense_block<4, vectors>(x, x_stride, layer, j, out, out_stride);
  switch (layer.outputs - j) {
    case 3: return dense_block<3, vectors>(x, x_stride, layer, j, out, out_stride);
    case 2: return dense_block<2, vectors>(x, x_stride, layer, j, out, out_stride);
    case 1: return dense_block<1, vectors>(x, x_stride, layer, j, out, out_stride);
    default: return;
  }
}
void dense(const float* x, std::ptrdiff_t x_stride, const Layer& layer, float* out, std::ptrdiff_t out_stride,
           std::size_t rows) {
  const std::size_t lanes = hn::Lanes(D());
  std::size_t r = 0;
  for (; r + row_vectors * lanes <= rows; r += row_vectors * lanes)
    dense_rows<row_vectors>(x + r, x_stride, layer, out + r, out_stride);
  for (; r < rows; r += lanes) dense_rows<1>(x + r, x_stride, layer, out + r, out_stride);
}

/// Two layers. inputs = 0: any number, read from memory each time.
template <std::size_t inputs, std::size_t outputs, std::size_t vectors>
HWY_INLINE void chain_block(const float* x, std::ptrdiff_t x_stride, const Layer& first, const Layer& second,
                            float* out, std::ptrdiff_t out_stride) {
  const D d;
  const std::size_t lanes = hn::Lanes(d);
  V in[inputs ? inputs : 1][vectors], sum[outputs][vectors];
  for (std::size_t i = 0; i < inputs; ++i)
    for (std::size_t v = 0; v < vectors; ++v)
      in[i][v] = hn::LoadU(d, x + static_cast<std::ptrdiff_t>(i) * x_stride + static_cast<std::ptrdiff_t>(v * lanes));
  for (std::size_t o = 0; o < outputs; ++o) {
    const V start =
        second.bias ? hn::Set(d, second.bias[static_cast<std::ptrdiff_t>(o) * second.bias_stride]) : hn::Zero(d);
    for (std::size_t v = 0; v < vectors; ++v) sum[o][v] = start;
  }
  const float *w0 = first.weights, *bias = first.bias, *w1 = second.weights;
  for (std::size_t j = 0; j < first.outputs; ++j, w0 += first.column_stride, w1 += second.row_stride) {
    const V start = bias ? hn::Set(d, bias[static_cast<std::ptrdiff_t>(j) * first.bias_stride]) : hn::Zero(d);
    V hidden[vectors];
    for (std::size_t v = 0; v < vectors; ++v) hidden[v] = start;
    if constexpr (inputs > 0) {
      for (std::size_t i = 0; i < inputs; ++i) {
        const V weight = hn::Set(d, w0[static_cast<std::ptrdiff_t>(i) * first.row_stride]);
        for (std::size_t v = 0; v < vectors; ++v) hidden[v] = hn::MulAdd(in[i][v], weight, hidden[v]);
      }
    } else {
      for (std::size_t i = 0; i < first.inputs; ++i) {
        const V weight = hn::Set(d, w0[static_cast<std::ptrdiff_t>(i) * first.row_stride]);
        for (std::size_t v = 0; v < vectors; ++v)
          hidden[v] = hn::MulAdd(
              hn::LoadU(d, x + static_cast<std::ptrdiff_t>(i) * x_stride + static_cast<std::ptrdiff_t>(v * lanes)),
              weight, hidden[v]);
      }
    }
    if (first.relu)
      for (std::size_t v = 0; v < vectors; ++v) hidden[v] = relu(d, hidden[v]);
    for (std::size_t o = 0; o < outputs; ++o) {
      const V weight = hn::Set(d, w1[static_cast<std::ptrdiff_t>(o) * second.column_stride]);
      for (std::size_t v = 0; v < vectors; ++v) sum[o][v] = hn::MulAdd(hidden[v], weight, sum[o][v]);
    }
  }
  for (std::size_t o = 0; o < outputs; ++o)
    for (std::size_t v = 0; v < vectors; ++v)
      hn::StoreU(second.relu ? relu(d, sum[o][v]) : sum[o][v], d,
                 out + static_cast<std::ptrdiff_t>(o) * out_stride + static_cast<std::ptrdiff_t>(v * lanes));
}
template <std::size_t inputs, std::size_t outputs>
void chain_rows(const float* x, std::ptrdiff_t x_stride, const Layer& first, const Layer& second, float* out,
                std::ptrdiff_t out_stride, std::size_t rows) {
  const std::size_t lanes = hn::Lanes(D());
  std::size_t r = 0;
  for (; r + row_vectors * lanes <= rows; r += row_vectors * lanes)
    chain_block<inputs, outputs, row_vectors>(x + r, x_stride, first, second, out + r, out_stride);
  for (; r < rows; r += lanes) chain_block<inputs, outputs, 1>(x + r, x_stride, first, second, out + r, out_stride);
}
template <std::size_t outputs>
void chain_inputs(const float* x, std::ptrdiff_t x_stride, const Layer& first, const Layer& second, float* out,
                  std::ptrdiff_t out_stride, std::size_t rows) {
  switch (first.inputs) {
    case 1: return chain_rows<1, outputs>(x, x_stride, first, second, out, out_stride, rows);
    case 2: return chain_rows<2, outputs>(x, x_stride, first, second, out, out_stride, rows);
    case 3: return chain_rows<3, outputs>(x, x_stride, first, second, out, out_stride, rows);
    default: return chain_rows<0, outputs>(x, x_stride, first, second, out, out_stride, rows);
  }
}
void chain(const float* x, std::ptrdiff_t x_stride, const Layer& first, const Layer& second, float* out,
           std::ptrdiff_t out_stride, std::size_t rows) {
  switch (second.outputs) {
    case 1: return chain_inputs<1>(x, x_stride, first, second, out, out_stride, rows);
    case 2: return chain_inputs<2>(x, x_stride, first, second, out, out_stride, rows);
    case 3: return chain_inputs<3>(x, x_stride, first, second, out, out_stride, rows);
    default: return chain_inputs<4>(x, x_stride, first, second, out, out_stride, rows);
  }
}

// Sums over rows.

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

// C = A B: blocks of `count` rows by `vectors` vectors of columns in registers.

template <std::size_t count, std::size_t vectors, bool partial>
HWY_INLINE void product_block(const MatrixProduct& p, std::size_t row, std::size_t column) {
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
      const float* so_far = p.c + (row + r) * p.n + column + v * lanes;
      sum[r][v] = !p.accumulate ? start : partial && v == vectors - 1 ? last.load(so_far) : hn::LoadU(d, so_far);
    }
  }
  const float* a = p.a + static_cast<std::ptrdiff_t>(row) * p.a_row;
  const float* b = p.b + column;
  for (std::size_t k = 0; k < p.k; ++k, a += p.a_column, b += p.b_row) {
    V right[vectors];
    for (std::size_t v = 0; v < vectors; ++v)
      right[v] = partial && v == vectors - 1 ? last.load(b + v * lanes) : hn::LoadU(d, b + v * lanes);
    for (std::size_t r = 0; r < count; ++r) {
      const V left = hn::Set(d, a[static_cast<std::ptrdiff_t>(r) * p.a_row]);
      for (std::size_t v = 0; v < vectors; ++v) sum[r][v] = hn::MulAdd(left, right[v], sum[r][v]);
    }
  }
  for (std::size_t r = 0; r < count; ++r)
    for (std::size_t v = 0; v < vectors; ++v) {
      float* to = p.c + (row + r) * p.n + column + v * lanes;
      const V result = p.relu ? relu(d, sum[r][v]) : sum[r][v];
      if (partial && v == vectors - 1)
        last.store(result, to);
      else
        hn::StoreU(result, d, to);
    }
}
template <std::size_t most_rows, std::size_t vectors, bool partial>
void product_columns(const MatrixProduct& p, std::size_t column) {
  std::size_t row = 0;
  for (; row + most_rows <= p.m; row += most_rows) product_block<most_rows, vectors, partial>(p, row, column);
  for (; row + 2 <= p.m; row += 2) product_block<2, vectors, partial>(p, row, column);
  if (row < p.m) product_block<1, vectors, partial>(p, row, column);
}
void product_part(const MatrixProduct& p) {
  constexpr std::size_t vectors = wide ? 4 : 2;
  constexpr std::size_t most_rows = 6;
  constexpr std::size_t narrow_rows = wide ? 16 : 8;  // one vector of columns: as many chains of additions
  const std::size_t lanes = hn::Lanes(D());
  std::size_t column = 0;
  for (; column + vectors * lanes <= p.n; column += vectors * lanes)
    product_columns<most_rows, vectors, false>(p, column);
  for (; column + lanes <= p.n; column += lanes) product_columns<narrow_rows, 1, false>(p, column);
  if (column < p.n) product_columns<narrow_rows, 1, true>(p, column);
}
/// Long sums in parts, so that the rows of B that a block of columns needs stay in the second cache.
void matrix_product(const MatrixProduct& p) {
  constexpr std::size_t part_length = 256;
  if (p.k <= 2 * part_length) return product_part(p);
  for (std::size_t k = 0; k < p.k; k += part_length) {
    MatrixProduct part = p;
    part.k = std::min(part_length, p.k - k);
    part.a += static_cast<std::ptrdiff_t>(k) * p.a_column;
    part.b += static_cast<std::ptrdiff_t>(k) * p.b_row;
    part.accumulate = k > 0;
    part.relu = p.relu && k + part.k == p.k;
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

const Table* make_table() {
  static const Table result{
      hwy::TargetName(HWY_TARGET), dense,          chain,        outer,         row_sum, column_reduce<Plus>,
      column_reduce<Larger>,       matrix_product, reduce<Plus>, reduce<Larger>};
  return &result;
}

}  // namespace lopt::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lopt::kernels {
HWY_EXPORT(make_table);
HWY_EXPORT(multiply_and_add);

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
const Table& table() { return *HWY_DYNAMIC_DISPATCH(make_table)(); }
}  // namespace lopt::kernels
#endif
