// Windows that slide over images: what convolution and pooling are made of. A convolution is the matrix product of its
// windows and its weights, so its two gradients are products too.
#include "trace/direct.h"
#include "trace/primitives/by_name.h"
#include "trace/primitives/tangents.h"

#include <lopt/networks.h>

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace lopt {
namespace {

using Grads = std::vector<Tensor>;

Tensor add_windows(const Tensor& windows, const Sliding& sliding);
Tensor windows_of(const Tensor& x, const Sliding& sliding);

/// How many windows there are in a dimension; below 1: none.
std::int64_t positions(const Sliding& s, std::size_t axis) {
  const std::int64_t room =
      s.image[axis] + s.before[axis] + s.after[axis] - ((s.kernel[axis] - 1) * s.dilation[axis] + 1);
  return room < 0 ? 0 : room / s.stride[axis] + 1;
}

/// Calls f(first element of the window's row, first element of the image's row, window columns that lie inside: first
/// and end, elements from one to the next in the image) for each image, position and row of the window; rows that lie
/// outside have no columns inside.
template <class Function>
void for_window_rows(const Sliding& s, std::int64_t images, std::int64_t channels, Function f) {
  const std::int64_t height = s.image[0], width = s.image[1], rows = positions(s, 0), columns = positions(s, 1);
  std::int64_t at = 0;
  for (std::int64_t n = 0; n < images; ++n)
    for (std::int64_t i = 0; i < rows; ++i)
      for (std::int64_t j = 0; j < columns; ++j)
        for (std::int64_t k = 0; k < s.kernel[0]; ++k, at += s.kernel[1] * channels) {
          const std::int64_t y = i * s.stride[0] - s.before[0] + k * s.dilation[0], x = j * s.stride[1] - s.before[1];
          std::int64_t first = x < 0 ? (-x + s.dilation[1] - 1) / s.dilation[1] : 0;
          std::int64_t end = x < width ? std::min(s.kernel[1], (width - x + s.dilation[1] - 1) / s.dilation[1]) : 0;
          if (y < 0 || y >= height || first >= end) first = end = 0;
          f(at, ((n * height + y) * width + x) * channels, first, end);
        }
}

struct Windows {
  template <class R>
  void operator()(const DirectCall& call) const {
    const Sliding& s = std::get<Sliding>(call.attributes);
    const std::int64_t channels = call.types[0].shape[3], step = s.dilation[1] * channels;
    const R* image = input_of<R>(call, 0);
    R* to = output_of<R>(call);
    for_window_rows(s, call.types[0].shape[0], channels,
                    [&](std::int64_t at, std::int64_t from, std::int64_t first, std::int64_t end) {
                      R* row = to + at;
                      std::fill_n(row, first * channels, static_cast<R>(s.outside));
                      if (s.dilation[1] == 1)
                        std::copy_n(image + from + first * channels, (end - first) * channels, row + first * channels);
                      else
                        for (std::int64_t k = first; k < end; ++k)
                          std::copy_n(image + from + k * step, channels, row + k * channels);
                      std::fill_n(row + end * channels, (s.kernel[1] - end) * channels, static_cast<R>(s.outside));
                    });
  }
};
struct AddWindows {
  template <class R>
  void operator()(const DirectCall& call) const {
    const Sliding& s = std::get<Sliding>(call.attributes);
    const std::int64_t channels = call.type.shape[3], step = s.dilation[1] * channels;
    const R* windows = input_of<R>(call, 0);
    R* image = output_of<R>(call);
    std::fill_n(image, element_count(call.type.shape), R{0});
    for_window_rows(s, call.type.shape[0], channels,
                    [&](std::int64_t at, std::int64_t to, std::int64_t first, std::int64_t end) {
                      for (std::int64_t k = first; k < end; ++k)
                        for (std::int64_t c = 0; c < channels; ++c)
                          image[to + k * step + c] += windows[at + k * channels + c];
                    });
  }
};

/// Nothing flows to or from what windows see beyond the edges.
Sliding with_zeros_outside(const Attributes& attributes) {
  Sliding sliding = std::get<Sliding>(attributes);
  sliding.outside = 0;
  return sliding;
}

// [n, height, width, c] → [n, rows, columns, kernel height, kernel width, c]. Linear, and each the other's transpose.
const Primitive windows_row = with_direct(
    {.name = "windows",
     .type =
         [](std::span<const Type> x, const Attributes& attributes) {
           const Sliding& s = std::get<Sliding>(attributes);
           return Type{DType::float32,
                       {x[0].shape[0], positions(s, 0), positions(s, 1), s.kernel[0], s.kernel[1], x[0].shape[3]}};
         },
     .vjp = [](const Vjp& v) { return Grads{add_windows(v.dy, std::get<Sliding>(v.attributes))}; },
     .jvp = [](const Jvp& j) { return windows_of(j.dx[0], with_zeros_outside(j.attributes)); }},
    Windows{});
const Primitive add_windows_row =
    with_direct({.name = "add_windows",
                 .type =
                     [](std::span<const Type> x, const Attributes& attributes) {
                       const Sliding& s = std::get<Sliding>(attributes);
                       return Type{DType::float32, {x[0].shape[0], s.image[0], s.image[1], x[0].shape[5]}};
                     },
                 .vjp = [](const Vjp& v) { return Grads{windows_of(v.dy, with_zeros_outside(v.attributes))}; },
                 .jvp = linear_tangent},
                AddWindows{});

Tensor add_windows(const Tensor& windows, const Sliding& sliding) { return apply(add_windows_row, {windows}, sliding); }
Tensor windows_of(const Tensor& x, const Sliding& sliding) { return apply(windows_row, {x}, sliding); }

/// Throws ShapeError where nothing comes out, or the window does not fit the images.
Sliding sliding_over(const Tensor& x, std::int64_t height, std::int64_t width, const Window& window, float outside,
                     std::string_view function) {
  if (x.dtype() != DType::float32 || x.rank() != 4)
    throw ShapeError(
        fmt::format("{}: {}: float32 images [n, height, width, channels] were expected", function, to_text(x.type())));
  Sliding s{.kernel = {height, width},
            .stride = {window.stride[0], window.stride[1]},
            .dilation = {window.dilation[0], window.dilation[1]},
            .image = {x.dim(1), x.dim(2)},
            .outside = outside};
  for (std::size_t axis = 0; axis < 2; ++axis) {
    if (s.kernel[axis] < 1 || s.stride[axis] < 1 || s.dilation[axis] < 1)
      throw ShapeError(fmt::format("{}: window {}, stride {} and dilation {} must be at least 1", function,
                                   s.kernel[axis], s.stride[axis], s.dilation[axis]));
    const std::int64_t span = (s.kernel[axis] - 1) * s.dilation[axis] + 1;
    if (window.padding == Padded::same) {
      const std::int64_t outputs = (s.image[axis] + s.stride[axis] - 1) / s.stride[axis],
                         missing = std::max<std::int64_t>(0, (outputs - 1) * s.stride[axis] + span - s.image[axis]);
      s.before[axis] = missing / 2;
      s.after[axis] = missing - missing / 2;
    } else if (window.padding == Padded::by) {
      s.before[axis] = window.before[axis];
      s.after[axis] = window.after[axis];
      if (s.before[axis] < 0 || s.after[axis] < 0)
        throw ShapeError(
            fmt::format("{}: padding must be at least 0, not {} and {}", function, s.before[axis], s.after[axis]));
    }
    if (positions(s, axis) < 1)
      throw ShapeError(fmt::format(
          "{}: a window of {} (kernel {}, dilation {}) does not fit in {} {} with padding {} and {}: nothing is left",
          function, span, s.kernel[axis], s.dilation[axis], s.image[axis], axis == 0 ? "rows" : "columns",
          s.before[axis], s.after[axis]));
  }
  return s;
}

}  // namespace

Tensor convolution(const Tensor& x, const Tensor& w, const Window& window, std::int64_t groups) {
  if (w.dtype() != DType::float32 || w.rank() != 4)
    throw ShapeError(
        fmt::format("convolution: weights {}: float32 [height, width, channels / groups, outputs] was "
                    "expected",
                    to_text(w.type())));
  const Sliding sliding = sliding_over(x, w.dim(0), w.dim(1), window, 0, "convolution");
  const std::int64_t inputs = w.dim(2), outputs = w.dim(3);
  if (groups < 1 || outputs % groups != 0 || inputs * groups != x.dim(3))
    throw ShapeError(fmt::format("convolution: images of {} channels in {} groups and weights {} do not fit", x.dim(3),
                                 groups, to_text(w.shape())));
  const std::int64_t taps = w.dim(0) * w.dim(1);
  const bool plain = taps == 1 && sliding.stride == Shape{1, 1} && positions(sliding, 0) == x.dim(1) &&
                     positions(sliding, 1) == x.dim(2);
  const Tensor seen = plain ? x : windows_of(x, sliding);
  const Shape result{x.dim(0), positions(sliding, 0), positions(sliding, 1), outputs};
  const std::int64_t rows = result[0] * result[1] * result[2];
  if (groups == 1)
    return reshape(matmul(reshape(seen, {rows, taps * inputs}), reshape(w, {taps * inputs, outputs})), result);
  // One product for each group: [groups, rows, taps · inputs] × [groups, taps · inputs, outputs / groups].
  const Tensor parts = reshape(transpose(reshape(seen, {rows, taps, groups, inputs}), {2, 0, 1, 3}),
                               {groups, rows, taps * inputs}),
               weights = transpose(reshape(w, {taps * inputs, groups, outputs / groups}), {1, 0, 2});
  return reshape(transpose(matmul(parts, weights), {1, 0, 2}), result);
}

Tensor max_pool(const Tensor& x, std::int64_t height, std::int64_t width, const Window& window) {
  constexpr float least = -std::numeric_limits<float>::infinity();
  return max(windows_of(x, sliding_over(x, height, width, window, least, "max_pool")), {3, 4});
}

Tensor mean_pool(const Tensor& x, std::int64_t height, std::int64_t width, const Window& window) {
  const Sliding sliding = sliding_over(x, height, width, window, 0, "mean_pool");
  const Tensor total = sum(windows_of(x, sliding), {3, 4});
  if (sliding.before == Shape{0, 0} && sliding.after == Shape{0, 0})
    return total * (1 / static_cast<double>(height * width));
  // Where a window hangs over the edge, the mean is of what lies inside.
  const Tensor inside = sum(windows_of(ones({1, x.dim(1), x.dim(2), 1}), sliding), {3, 4});
  return total / inside;
}

std::vector<const Primitive*> window_primitives() { return {&windows_row, &add_windows_row}; }

}  // namespace lopt
