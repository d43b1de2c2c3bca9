// SIMD kernels of dense layers: rows across the lanes of a vector, weights as scalars.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/layers.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/highway.h>

#include "kernels/kernels.h"
#include "kernels/vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lopt::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// `count` outputs from `first` on, for `vectors` vectors of rows from `row` on.
template <std::size_t count, std::size_t vectors>
HWY_INLINE void dense_block(const float* const* x, std::size_t row, const Layer& layer, std::size_t first, float* out,
                            std::ptrdiff_t out_stride) {
  const D d;
  const std::size_t lanes = hn::Lanes(d);
  V sum[count][vectors];
  for (std::size_t j = 0; j < count; ++j) {
    const auto column = static_cast<std::ptrdiff_t>(first + j);
    const V start = layer.bias ? hn::Set(d, layer.bias[column * layer.bias_stride]) : hn::Zero(d);
    for (std::size_t v = 0; v < vectors; ++v) sum[j][v] = start;
  }
  const float* w = layer.weights + static_cast<std::ptrdiff_t>(first) * layer.column_stride;
  // Inputs stay in registers while weights pass, or the other way round where there are not so many.
#pragma GCC unroll 2
  for (std::size_t i = 0; i < layer.inputs; ++i, w += layer.row_stride) {
    const auto input = [&](std::size_t v) { return hn::LoadU(d, x[i] + row + v * lanes); };
    const auto weight = [&](std::size_t j) {
      return hn::Set(d, w[static_cast<std::ptrdiff_t>(j) * layer.column_stride]);
    };
    if constexpr (count * vectors + vectors < (wide ? 32 : 16)) {
      V in[vectors];
      for (std::size_t v = 0; v < vectors; ++v) in[v] = input(v);
      for (std::size_t j = 0; j < count; ++j) {
        const V by = weight(j);
        for (std::size_t v = 0; v < vectors; ++v) sum[j][v] = hn::MulAdd(in[v], by, sum[j][v]);
      }
    } else {
      V by[count];
      for (std::size_t j = 0; j < count; ++j) by[j] = weight(j);
      for (std::size_t v = 0; v < vectors; ++v) {
        const V in = input(v);
        for (std::size_t j = 0; j < count; ++j) sum[j][v] = hn::MulAdd(in, by[j], sum[j][v]);
      }
    }
  }
  if (layer.gate)
    for (std::size_t j = 0; j < count; ++j)
      for (std::size_t v = 0; v < vectors; ++v) {
        const V gate = hn::LoadU(d, layer.gate[first + j] + row + v * lanes);
        sum[j][v] = hn::IfThenElseZero(hn::Gt(gate, hn::Zero(d)), sum[j][v]);
      }
  for (std::size_t j = 0; j < count; ++j)
    for (std::size_t v = 0; v < vectors; ++v)
      hn::StoreU(
          layer.relu ? relu_of(d, sum[j][v]) : sum[j][v], d,
          out + static_cast<std::ptrdiff_t>(first + j) * out_stride + static_cast<std::ptrdiff_t>(row + v * lanes));
}
/// All outputs, `count` at once, for `vectors` vectors of rows.
template <std::size_t count, std::size_t vectors>
void dense_rows(const float* const* x, std::size_t row, const Layer& layer, float* out, std::ptrdiff_t out_stride) {
  std::size_t j = 0;
  for (; j + count <= layer.outputs; j += count) dense_block<count, vectors>(x, row, layer, j, out, out_stride);
  if constexpr (count > 4)
    for (; j + 4 <= layer.outputs; j += 4) dense_block<4, vectors>(x, row, layer, j, out, out_stride);
  switch (layer.outputs - j) {
    case 3: return dense_block<3, vectors>(x, row, layer, j, out, out_stride);
    case 2: return dense_block<2, vectors>(x, row, layer, j, out, out_stride);
    case 1: return dense_block<1, vectors>(x, row, layer, j, out, out_stride);
    default: return;
  }
}
/// Blocks of as many sums as the registers hold beside what they are made of, and never fewer than multiplications
/// under way: 24 of 32 registers, 12 of 16.
void dense(const float* const* x, const Layer& layer, float* out, std::ptrdiff_t out_stride, std::size_t rows) {
  const std::size_t lanes = hn::Lanes(D());
  std::size_t r = 0;
  if (wide || layer.outputs <= 2)
    for (; r + 6 * lanes <= rows; r += 6 * lanes) dense_rows<wide ? 4 : 2, 6>(x, r, layer, out, out_stride);
  for (; r + 3 * lanes <= rows; r += 3 * lanes) dense_rows<wide ? 8 : 4, 3>(x, r, layer, out, out_stride);
  for (; r < rows; r += lanes) dense_rows<8, 1>(x, r, layer, out, out_stride);
}

/// Vectors of rows at a time. With sixteen registers the inputs are read from the first cache each time, which costs
/// less than waiting for sums would.
constexpr std::size_t chain_vectors = 4;

/// Two layers, the hidden units in registers.
template <std::size_t inputs, std::size_t outputs, std::size_t vectors>
HWY_INLINE void chain_block(const float* const* x, std::size_t row, const Layer& first, const Layer& second, float* out,
                            std::ptrdiff_t out_stride) {
  const D d;
  const std::size_t lanes = hn::Lanes(d);
  V in[inputs][vectors], sum[outputs][vectors];
  for (std::size_t i = 0; i < inputs; ++i)
    for (std::size_t v = 0; v < vectors; ++v) in[i][v] = hn::LoadU(d, x[i] + row + v * lanes);
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
    for (std::size_t i = 0; i < inputs; ++i) {
      const V weight = hn::Set(d, w0[static_cast<std::ptrdiff_t>(i) * first.row_stride]);
      for (std::size_t v = 0; v < vectors; ++v) hidden[v] = hn::MulAdd(in[i][v], weight, hidden[v]);
    }
    if (first.relu)
      for (std::size_t v = 0; v < vectors; ++v) hidden[v] = relu_of(d, hidden[v]);
    for (std::size_t o = 0; o < outputs; ++o) {
      const V weight = hn::Set(d, w1[static_cast<std::ptrdiff_t>(o) * second.column_stride]);
      for (std::size_t v = 0; v < vectors; ++v) sum[o][v] = hn::MulAdd(hidden[v], weight, sum[o][v]);
    }
  }
  for (std::size_t o = 0; o < outputs; ++o)
    for (std::size_t v = 0; v < vectors; ++v)
      hn::StoreU(second.relu ? relu_of(d, sum[o][v]) : sum[o][v], d,
                 out + static_cast<std::ptrdiff_t>(o) * out_stride + static_cast<std::ptrdiff_t>(row + v * lanes));
}
template <std::size_t inputs, std::size_t outputs>
void chain_rows(const float* const* x, const Layer& first, const Layer& second, float* out, std::ptrdiff_t out_stride,
                std::size_t rows) {
  const std::size_t lanes = hn::Lanes(D());
  std::size_t r = 0;
  for (; r + chain_vectors * lanes <= rows; r += chain_vectors * lanes)
    chain_block<inputs, outputs, chain_vectors>(x, r, first, second, out, out_stride);
  for (; r < rows; r += lanes) chain_block<inputs, outputs, 1>(x, r, first, second, out, out_stride);
}
template <std::size_t outputs>
void chain_inputs(const float* const* x, const Layer& first, const Layer& second, float* out, std::ptrdiff_t out_stride,
                  std::size_t rows) {
  switch (first.inputs) {
    case 1: return chain_rows<1, outputs>(x, first, second, out, out_stride, rows);
    case 2: return chain_rows<2, outputs>(x, first, second, out, out_stride, rows);
    default: return chain_rows<3, outputs>(x, first, second, out, out_stride, rows);
  }
}
void chain(const float* const* x, const Layer& first, const Layer& second, float* out, std::ptrdiff_t out_stride,
           std::size_t rows) {
  switch (second.outputs) {
    case 1: return chain_inputs<1>(x, first, second, out, out_stride, rows);
    case 2: return chain_inputs<2>(x, first, second, out, out_stride, rows);
    case 3: return chain_inputs<3>(x, first, second, out, out_stride, rows);
    default: return chain_inputs<4>(x, first, second, out, out_stride, rows);
  }
}

const LayerKernels* make_layers() {
  static const LayerKernels result{dense, chain};
  return &result;
}

}  // namespace lopt::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lopt::kernels {
HWY_EXPORT(make_layers);
const LayerKernels& layers() { return *HWY_DYNAMIC_DISPATCH(make_layers)(); }
}  // namespace lopt::kernels
#endif
