// Elements by index: rows of the first dimension, and what is made of them.
#include "trace/direct.h"
#include "trace/primitives/by_name.h"
#include "trace/primitives/tangents.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace lopt {
namespace {

using Grads = std::vector<Tensor>;

std::size_t clamped(std::int32_t index, std::int64_t rows) {
  return static_cast<std::size_t>(std::clamp<std::int64_t>(index, 0, rows - 1));
}
std::size_t width_of(const Type& type) {
  return static_cast<std::size_t>(element_count(Shape(type.shape.begin() + 1, type.shape.end())));
}

struct GatherRows {
  template <class R>
  void operator()(const DirectCall& call) const {
    const auto* indices = input_of<std::int32_t>(call, 1);
    const std::size_t width = width_of(call.type), count = static_cast<std::size_t>(call.type.shape[0]);
    with_type<R>(call.type.dtype, [&](auto zero) {
      using T = decltype(zero);
      const T* from = input_of<T>(call, 0);
      T* to = output_of<T>(call);
      for (std::size_t i = 0; i < count; ++i)
        std::copy_n(from + clamped(indices[i], call.types[0].shape[0]) * width, width, to + i * width);
    });
  }
};
struct ScatterAddRows {
  template <class R>
  void operator()(const DirectCall& call) const {
    const auto* indices = input_of<std::int32_t>(call, 1);
    const std::size_t width = width_of(call.type), count = static_cast<std::size_t>(call.types[0].shape[0]);
    with_type<R>(call.type.dtype, [&](auto zero) {
      using T = decltype(zero);
      const T* from = input_of<T>(call, 0);
      T* to = output_of<T>(call);
      std::fill_n(to, element_count(call.type.shape), T{0});
      for (std::size_t i = 0; i < count; ++i) {
        T* row = to + clamped(indices[i], call.type.shape[0]) * width;
        for (std::size_t k = 0; k < width; ++k) row[k] += from[i * width + k];
      }
    });
  }
};

const Primitive gather_row = with_direct({.name = "gather_rows",
                                          .type =
                                              [](std::span<const Type> x, const Attributes&) {
                                                Type result = x[0];
                                                result.shape[0] = x[1].shape[0];
                                                return result;
                                              },
                                          .vjp =
                                              [](const Vjp& v) {
                                                return Grads{scatter_add_rows(v.dy, v.x[1], v.x[0].dim(0)), Tensor()};
                                              },
                                          .jvp = linear_tangent},
                                         GatherRows{});
const Primitive scatter_row = with_direct({.name = "scatter_add_rows",
                                           .type =
                                               [](std::span<const Type> x, const Attributes& attributes) {
                                                 Type result = x[0];
                                                 result.shape[0] = std::get<Count>(attributes).count;
                                                 return result;
                                               },
                                           .vjp =
                                               [](const Vjp& v) {
                                                 return Grads{gather_rows(v.dy, v.x[1]), Tensor()};
                                               },
                                           .jvp = linear_tangent},
                                          ScatterAddRows{});

void check(const Tensor& x, const Tensor& indices, std::string_view function) {
  if (indices.dtype() != DType::int32 || indices.rank() != 1)
    throw ShapeError(
        fmt::format("{}: indices are an int32 tensor of one dimension, not {}", function, to_text(indices.type())));
  if (x.rank() < 1) throw ShapeError(fmt::format("{}: a scalar has no rows", function));
}

/// Dimensions in the order in which `axis` is the first, and the way back.
struct AxisFirst {
  std::vector<int> order, back;
  AxisFirst(int rank, int axis) : order(static_cast<std::size_t>(rank)), back(static_cast<std::size_t>(rank)) {
    std::iota(order.begin(), order.end(), 0);
    std::rotate(order.begin(), order.begin() + axis, order.begin() + axis + 1);
    for (std::size_t i = 0; i < order.size(); ++i) back[static_cast<std::size_t>(order[i])] = static_cast<int>(i);
  }
};

}  // namespace

Tensor gather_rows(const Tensor& x, const Tensor& indices) {
  check(x, indices, "gather_rows");
  if (x.dim(0) == 0) throw ShapeError("gather_rows: there are no rows to take");
  return apply(gather_row, {x, indices});
}

Tensor scatter_add_rows(const Tensor& x, const Tensor& indices, std::int64_t rows) {
  check(x, indices, "scatter_add_rows");
  if (x.dim(0) != indices.dim(0) || rows < 1)
    throw ShapeError(
        fmt::format("scatter_add_rows: {} rows at {} indices into {} rows", x.dim(0), indices.dim(0), rows));
  return apply(scatter_row, {x, indices}, Count{rows});
}

Tensor gather(const Tensor& x, const Tensor& indices, int axis) {
  if (indices.dtype() != DType::int32)
    throw ShapeError(fmt::format("gather: indices are int32, not {}", to_text(indices.type())));
  const int at = normalized_axis(axis, x.rank(), "gather");
  const AxisFirst first(x.rank(), at);
  Tensor rows = gather_rows(transpose(x, first.order), reshape(indices, {-1}));
  // [indices…, rest…], and the dimensions of the indices to where the axis was.
  Shape shape = indices.shape();
  shape.insert(shape.end(), rows.shape().begin() + 1, rows.shape().end());
  std::vector<int> order;
  for (int i = 0; i < at; ++i) order.push_back(indices.rank() + i);
  for (int i = 0; i < indices.rank(); ++i) order.push_back(i);
  for (int i = at; i + 1 < x.rank(); ++i) order.push_back(indices.rank() + i);
  rows = reshape(rows, shape);
  return order.empty() ? rows : transpose(rows, order);
}

Tensor scatter_add(const Tensor& x, const Tensor& indices, std::int64_t length, int axis) {
  const int at = normalized_axis(axis, x.rank(), "scatter_add");
  const AxisFirst first(x.rank(), at);
  return transpose(scatter_add_rows(transpose(x, first.order), indices, length), first.back);
}

Tensor take_along(const Tensor& x, const Tensor& indices) {
  if (x.rank() < 1 || indices.shape() != Shape(x.shape().begin(), x.shape().end() - 1))
    throw ShapeError(fmt::format("take_along: an index for each row of {} was expected, not {}", to_text(x.shape()),
                                 to_text(indices.shape())));
  const std::int64_t length = x.dim(-1), rows = element_count(indices.shape());
  const Tensor inside = minimum(maximum(reshape(indices, {rows}), Tensor(0)), Tensor(static_cast<int>(length) - 1));
  const Tensor flat = arange(rows) * Tensor(static_cast<int>(length)) + inside;
  return reshape(gather_rows(reshape(x, {-1}), flat), indices.shape());
}

std::vector<const Primitive*> row_primitives() { return {&gather_row, &scatter_row}; }

}  // namespace lopt
