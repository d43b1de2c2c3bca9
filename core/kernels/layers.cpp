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

/// Outputs, and vectors of rows, that a layer works on at once: as many sums as the registers hold beside what they are
/// made of, and never fewer than multiplications under way.
constexpr std::size_t most_outputs = 4;
constexpr std::size_t row_vectors(std::size_t outputs) { return wide ? 6 : outputs > 2 ? 3 : 6; }

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
  for (std::size_t i = 0; i < layer.inputs; ++i, w += layer.row_stride) {
    V in[vectors];
    for (std::size_t v = 0; v < vectors; ++v) in[v] = hn::LoadU(d, x[i] + row + v * lanes);
    for (std::size_t j = 0; j < count; ++j) {
      const V weight = hn::Set(d, w[static_cast<std::ptrdiff_t>(j) * layer.column_stride]);
      for (std::size_t v = 0; v < vectors; ++v) sum[j][v] = hn::MulAdd(in[v], weight, sum[j][v]);
    }
  }
  for (std::size_t j = 0; j < count; ++j)
    for (std::size_t v = 0; v < vectors; ++v)
      hn::StoreU(
          layer.relu ? relu_of(d, sum[j][v]) : sum[j][v], d,
          out + static_cast<std::ptrdiff_t>(first + j) * out_stride + static_cast<std::ptrdiff_t>(row + v * lanes));
}
template <std::size_t count>
void dense_outputs(const float* const* x, const Layer& layer, std::size_t first, float* out, std::ptrdiff_t out_stride,
                   std::size_t rows) {
  constexpr std::size_t most = row_vectors(count);
  const std::size_t lanes = hn::Lanes(D());
  std::size_t r = 0;
  for (; r + most * lanes <= rows; r += most * lanes) dense_block<count, most>(x, r, layer, first, out, out_stride);
  for (; r + 2 * lanes <= rows; r += 2 * lanes) dense_block<count, 2>(x, r, layer, first, out, out_stride);
  if (r < rows) dense_block<count, 1>(x, r, layer, first, out, out_stride);
}
void dense(const float* const* x, const Layer& layer, float* out, std::ptrdiff_t out_stride, std::size_t rows) {
  std::size_t j = 0;
  for (; j + most_outputs <= layer.outputs; j += most_outputs)
    dense_outputs<most_outputs>(x, layer, j, out, out_stride, rows);
  switch (layer.outputs - j) {
    case 3: return dense_outputs<3>(x, layer, j, out, out_stride, rows);
    case 2: return dense_outputs<2>(x, layer, j, out, out_stride, rows);
    case 1: return dense_outputs<1>(x, layer, j, out, out_stride, rows);
    default: return;
  }
}

constexpr std::size_t chain_vectors = wide ? 4 : 2;

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
