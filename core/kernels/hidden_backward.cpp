// The backward pass through a hidden layer of relu units between few inputs and few outputs, its units in registers.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/hidden_backward.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/highway.h>

#include "kernels/kernels.h"
#include "kernels/vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lopt::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// Hidden units at a time: their sums over rows stay in registers.
constexpr std::size_t most_units = HWY_MAX_BYTES >= 64 ? 2 : 1;

template <std::size_t units, std::size_t inputs, std::size_t outputs>
struct Sums {
  V input_weights[units][inputs], bias[units], output_weights[units][outputs];
};

/// Adds sums over lanes to where they are wanted, four at a time.
template <std::size_t count>
HWY_INLINE void add_sums(float* const (&to)[count], const V (&lanes)[count]) {
  const V zero = hn::Zero(D());
  for (std::size_t k = 0; k < count; k += 4) {
    const auto at = [&](std::size_t i) { return k + i < count ? lanes[k + i] : zero; };
    HWY_ALIGN float sums[4];
    hn::Store(sums_of_four(at(0), at(1), at(2), at(3)), D4(), sums);
    for (std::size_t i = 0; i < 4 && k + i < count; ++i)
      if (to[k + i]) *to[k + i] += sums[i];
  }
}

/// The weights of some units, each in a whole vector: read once, for what is written might lie where they do.
template <std::size_t units, std::size_t inputs, std::size_t outputs>
struct Weights {
  V hidden[units][inputs], bias[units], back[units][outputs], to_inputs[units][inputs];

  Weights(const HiddenBackward& h, std::size_t unit) {
    const D d;
    for (std::size_t u = 0; u < units; ++u) {
      const auto j = static_cast<std::ptrdiff_t>(unit + u);
      auto weight = [&](const Layer& layer, std::ptrdiff_t row, std::ptrdiff_t column) {
        return hn::Set(d, layer.weights[row * layer.row_stride + column * layer.column_stride]);
      };
      bias[u] = h.hidden.bias ? hn::Set(d, h.hidden.bias[j * h.hidden.bias_stride]) : hn::Zero(d);
      for (std::size_t i = 0; i < inputs; ++i) {
        hidden[u][i] = weight(h.hidden, static_cast<std::ptrdiff_t>(i), j);
        to_inputs[u][i] = weight(h.to_inputs, j, static_cast<std::ptrdiff_t>(i));
      }
      for (std::size_t o = 0; o < outputs; ++o) back[u][o] = weight(h.back, static_cast<std::ptrdiff_t>(o), j);
    }
  }
};

/// One vector of rows. load(p) reads it at p, store(v, p) writes it.
template <std::size_t units, std::size_t inputs, std::size_t outputs, class Load, class Store>
HWY_INLINE void backward_rows(const float* const (&x)[inputs], const float* const (&dy)[outputs],
                              float* const (&dx)[inputs], std::size_t row, bool first,
                              const Weights<units, inputs, outputs>& w, Sums<units, inputs, outputs>& sums, Load load,
                              Store store) {
  const D d;
  const V zero = hn::Zero(d);
  V in[inputs], out[outputs], d_in[inputs];
  for (std::size_t i = 0; i < inputs; ++i) in[i] = load(x[i] + row);
  for (std::size_t o = 0; o < outputs; ++o) out[o] = load(dy[o] + row);
  for (std::size_t i = 0; i < inputs; ++i) d_in[i] = first ? zero : load(dx[i] + row);
  for (std::size_t u = 0; u < units; ++u) {
    V hidden = w.bias[u];
    for (std::size_t i = 0; i < inputs; ++i) hidden = hn::MulAdd(in[i], w.hidden[u][i], hidden);
    V d_hidden = hn::Mul(out[0], w.back[u][0]);
    for (std::size_t o = 1; o < outputs; ++o) d_hidden = hn::MulAdd(out[o], w.back[u][o], d_hidden);
    d_hidden = hn::IfThenElseZero(hn::Gt(hidden, zero), d_hidden);
    hidden = at_least(zero, hidden);
    for (std::size_t o = 0; o < outputs; ++o)
      sums.output_weights[u][o] = hn::MulAdd(hidden, out[o], sums.output_weights[u][o]);
    for (std::size_t i = 0; i < inputs; ++i)
      sums.input_weights[u][i] = hn::MulAdd(in[i], d_hidden, sums.input_weights[u][i]);
    sums.bias[u] = hn::Add(sums.bias[u], d_hidden);
    for (std::size_t i = 0; i < inputs; ++i) d_in[i] = hn::MulAdd(d_hidden, w.to_inputs[u][i], d_in[i]);
  }
  for (std::size_t i = 0; i < inputs; ++i) store(d_in[i], dx[i] + row);
}

template <std::size_t units, std::size_t inputs, std::size_t outputs>
void backward_units(const HiddenBackward& h, std::size_t unit, std::size_t rows) {
  const D d;
  const std::size_t lanes = hn::Lanes(d);
  const Weights<units, inputs, outputs> weights(h, unit);
  const float *x[inputs], *dy[outputs];
  float* dx[inputs];
  for (std::size_t i = 0; i < inputs; ++i) {
    x[i] = h.x[i];
    dx[i] = h.dx + static_cast<std::ptrdiff_t>(i) * h.dx_stride;
  }
  for (std::size_t o = 0; o < outputs; ++o) dy[o] = h.dy[o];
  Sums<units, inputs, outputs> sums;
  for (std::size_t u = 0; u < units; ++u) {
    for (V& s : sums.input_weights[u]) s = hn::Zero(d);
    for (V& s : sums.output_weights[u]) s = hn::Zero(d);
    sums.bias[u] = hn::Zero(d);
  }
  std::size_t r = 0;
  for (; r + lanes <= rows; r += lanes)
    backward_rows(
        x, dy, dx, r, unit == 0, weights, sums, [&](const float* p) { return hn::LoadU(d, p); },
        [&](V v, float* p) { hn::StoreU(v, d, p); });
  if (r < rows) {
    const FirstElements<D> rest(d, rows - r);
    backward_rows(
        x, dy, dx, r, unit == 0, weights, sums, [&](const float* p) { return rest.load(p); },
        [&](V v, float* p) { hn::StoreU(v, d, p); });
  }
  float* to[units * (inputs + outputs + 1)];
  V lanes_of[units * (inputs + outputs + 1)];
  std::size_t n = 0;
  auto wanted = [&](float* from, std::ptrdiff_t at, V sum) {
    to[n] = from ? from + at : nullptr;
    lanes_of[n++] = sum;
  };
  for (std::size_t u = 0; u < units; ++u) {
    const auto j = static_cast<std::ptrdiff_t>(unit + u);
    for (std::size_t i = 0; i < inputs; ++i)
      wanted(h.d_input_weights, static_cast<std::ptrdiff_t>(i) * h.d_input_row + j * h.d_input_column,
             sums.input_weights[u][i]);
    for (std::size_t o = 0; o < outputs; ++o)
      wanted(h.d_output_weights, j * h.d_output_row + static_cast<std::ptrdiff_t>(o) * h.d_output_column,
             sums.output_weights[u][o]);
    wanted(h.d_bias, j, sums.bias[u]);
  }
  add_sums(to, lanes_of);
}

template <std::size_t inputs, std::size_t outputs>
void backward(const HiddenBackward& h, std::size_t rows) {
  std::size_t unit = 0;
  for (; unit + most_units <= h.hidden.outputs; unit += most_units)
    backward_units<most_units, inputs, outputs>(h, unit, rows);
  for (; unit < h.hidden.outputs; ++unit) backward_units<1, inputs, outputs>(h, unit, rows);
}

template <std::size_t outputs>
void backward_inputs(const HiddenBackward& h, std::size_t rows) {
  switch (h.hidden.inputs) {
    case 1: return backward<1, outputs>(h, rows);
    case 2: return backward<2, outputs>(h, rows);
    case 3: return backward<3, outputs>(h, rows);
    default: return backward<4, outputs>(h, rows);
  }
}

void run(const HiddenBackward& h, std::size_t rows) {
  return h.back.inputs == 1 ? backward_inputs<1>(h, rows) : backward_inputs<2>(h, rows);
}

}  // namespace lopt::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lopt::kernels {
HWY_EXPORT(run);
void hidden_backward(const HiddenBackward& h, std::size_t rows) { HWY_DYNAMIC_DISPATCH(run)(h, rows); }
}  // namespace lopt::kernels
#endif
