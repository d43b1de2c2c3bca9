// Order along an axis: one primitive gives the places, and what is sorted is taken from there.
#include "trace/direct.h"
#include "trace/primitives/by_name.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace lopt {
namespace {

/// Of the last axis; Cumulative::reverse: from the largest to the least.
struct Argsort {
  template <class R>
  void operator()(const DirectCall& call) const {
    const bool descending = std::get<Cumulative>(call.attributes).reverse;
    const std::int64_t length = call.type.shape.back(), rows = length ? element_count(call.type.shape) / length : 0;
    std::int32_t* places = output_of<std::int32_t>(call);
    with_type<R>(call.types[0].dtype, [&](auto zero) {
      using T = decltype(zero);
      for (std::int64_t row = 0; row < rows; ++row) {
        const T* x = input_of<T>(call, 0) + row * length;
        std::int32_t* first = places + row * length;
        std::iota(first, first + length, 0);
        std::stable_sort(first, first + length, [&](std::int32_t i, std::int32_t j) {
          const T a = x[i], b = x[j];
          if (a != a || b != b) return a == a && b != b;  // NaN comes last
          return descending ? b < a : a < b;
        });
      }
    });
  }
};
const Primitive argsort_row = with_direct({.name = "argsort",
                                           .type =
                                               [](std::span<const Type> x, const Attributes&) {
                                                 return Type{DType::int32, x[0].shape};
                                               }},
                                          Argsort{});

/// The dimensions with two exchanged.
std::vector<int> exchanged(int rank, int a, int b) {
  std::vector<int> axes(static_cast<std::size_t>(rank));
  std::iota(axes.begin(), axes.end(), 0);
  std::swap(axes[static_cast<std::size_t>(a)], axes[static_cast<std::size_t>(b)]);
  return axes;
}

/// Elements of each row of x [..., n] at int32 places [..., k] of it.
Tensor taken_from_rows(const Tensor& x, const Tensor& places) {
  const std::int64_t length = x.dim(-1), k = places.dim(-1);
  const std::int64_t rows = element_count(places.shape()) / std::max<std::int64_t>(1, k);
  const Tensor first = expand_dims(arange(rows) * Tensor(static_cast<int>(length)), 1);
  const Tensor flat = reshape(first + reshape(places, {rows, k}), {-1});
  return reshape(gather_rows(reshape(x, {-1}), flat), places.shape());
}

}  // namespace

Tensor argsort(const Tensor& x, int axis, bool descending) {
  if (x.dtype() == DType::boolean) throw ShapeError("argsort: numbers were expected, not bool; use convert()");
  const int at = normalized_axis(axis, x.rank(), "argsort"), last = x.rank() - 1;
  const std::vector<int> order = exchanged(x.rank(), at, last);
  return transpose(apply(argsort_row, {transpose(x, order)}, Cumulative{last, descending}), order);
}

Tensor sort(const Tensor& x, int axis, bool descending) {
  if (element_count(x.shape()) == 0) return x;
  const int at = normalized_axis(axis, x.rank(), "sort"), last = x.rank() - 1;
  const std::vector<int> order = exchanged(x.rank(), at, last);
  const Tensor turned = transpose(x, order);
  return transpose(taken_from_rows(turned, argsort(turned, -1, descending)), order);
}

TopK top_k(const Tensor& x, std::int64_t k) {
  if (x.rank() < 1 || k < 1 || k > x.dim(-1)) throw ShapeError(fmt::format("top_k: {} of {}", k, to_text(x.shape())));
  const Tensor all = argsort(x, -1, true);
  Shape start(x.shape().size(), 0), stop = x.shape();
  stop.back() = k;
  const Tensor places = slice(all, start, stop);
  return {taken_from_rows(x, places), places};
}

Tensor reversed(const Tensor& x, int axis) {
  const std::int64_t length = x.dim(axis);
  if (length < 2) return x;
  return gather(x, Tensor(static_cast<int>(length - 1)) - arange(length), axis);
}

std::vector<const Primitive*> order_primitives() { return {&argsort_row}; }

}  // namespace lopt
