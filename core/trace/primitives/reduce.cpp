// Reductions, and what softmax needs of them.
#include "trace/direct.h"
#include "trace/primitives/by_name.h"
#include "trace/primitives/tangents.h"

#include <fmt/format.h>
#include <xtensor/xmath.hpp>
#include <xtensor/xsort.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace lopt {
namespace {

using Grads = std::vector<Tensor>;

Type reduced(std::span<const Type> x, const Attributes& attributes) {
  const std::vector<int>& axes = std::get<Axes>(attributes).axes;
  Type result{x[0].dtype, {}};
  for (int i = 0; i < static_cast<int>(x[0].shape.size()); ++i)
    if (std::find(axes.begin(), axes.end(), i) == axes.end())
      result.shape.push_back(x[0].shape[static_cast<std::size_t>(i)]);
  return result;
}

/// y with lengths of 1 where dimensions were reduced, broadcast to the shape of x.
Tensor spread(const Tensor& y, const Tensor& x, const Attributes& attributes) {
  Shape shape = x.shape();
  for (int axis : std::get<Axes>(attributes).axes) shape[static_cast<std::size_t>(axis)] = 1;
  return broadcast_to(reshape(y, shape), x.shape());
}

std::vector<std::size_t> axes_of(const Attributes& attributes) {
  const auto& axes = std::get<Axes>(attributes).axes;
  return {axes.begin(), axes.end()};
}

const Primitive sum_row = with_reference({.name = "sum",
                                          .type = reduced,
                                          .vjp = [](const Vjp& v) { return Grads{spread(v.dy, v.x[0], v.attributes)}; },
                                          .jvp = linear_tangent,
                                          .fusion = Fusion::reduction},
                                         []<class R>(ReferenceArguments<R>& call) {
                                           std::visit(
                                               [&](const auto& x) {
                                                 using T = typename std::decay_t<decltype(x)>::value_type;
                                                 call.result = xt::xarray<T>(xt::sum<T>(x, axes_of(call.attributes)));
                                               },
                                               *call.inputs[0]);
                                         });
/// 1 at the elements that are the maximum.
Tensor at_maximum(const Tensor& x, const Tensor& y, const Attributes& attributes) {
  return convert(x == spread(y, x, attributes), DType::float32);
}
// Elements that share the maximum share the gradient, as in JAX.
const Primitive max_row = with_reference(
    {.name = "max",
     .type = reduced,
     .vjp =
         [](const Vjp& v) {
           const Tensor largest = at_maximum(v.x[0], v.y, v.attributes);
           const Tensor count = sum(largest, std::get<Axes>(v.attributes).axes);
           return Grads{spread(v.dy / count, v.x[0], v.attributes) * largest};
         },
     .jvp =
         [](const Jvp& j) {
           const Tensor largest = at_maximum(j.x[0], j.y, j.attributes);
           const std::vector<int>& axes = std::get<Axes>(j.attributes).axes;
           return sum(j.dx[0] * largest, axes) / sum(largest, axes);
         },
     .fusion = Fusion::reduction},
    []<class R>(ReferenceArguments<R>& call) {
      std::visit(
          [&](const auto& x) {
            using T = typename std::decay_t<decltype(x)>::value_type;
            auto larger = [](T a, T b) { return a != a ? a : b != b ? b : a > b ? a : b; };  // NaN wins
            T least = std::numeric_limits<T>::has_infinity ? -std::numeric_limits<T>::infinity()
                                                           : std::numeric_limits<T>::lowest();
            call.result = xt::xarray<T>(
                xt::reduce(xt::make_xreducer_functor(larger, xt::const_value<T>(least)), x, axes_of(call.attributes)));
          },
          *call.inputs[0]);
    });

struct CumulativeSum {
  template <class R>
  void operator()(const DirectCall& call) const {
    const Cumulative& c = std::get<Cumulative>(call.attributes);
    const Shape& shape = call.type.shape;
    const auto axis = shape.begin() + c.axis;
    const std::int64_t length = *axis, inner = element_count(Shape(axis + 1, shape.end())),
                       outer = element_count(Shape(shape.begin(), axis));
    with_type<R>(call.type.dtype, [&](auto zero) {
      using T = decltype(zero);
      const T* x = input_of<T>(call, 0);
      T* y = output_of<T>(call);
      for (std::int64_t o = 0; o < outer; ++o)
        for (std::int64_t k = 0; k < length; ++k)
          for (std::int64_t i = 0; i < inner; ++i) {
            const std::int64_t place = c.reverse ? length - 1 - k : k, at = (o * length + place) * inner + i;
            y[at] = k == 0 ? x[at] : static_cast<T>(y[at + (c.reverse ? inner : -inner)] + x[at]);
          }
    });
  }
};
Tensor cumulative(const Tensor& x, int axis, bool reverse);
// dx is the sum of dy from the other end.
const Primitive cumulative_row = with_direct({.name = "cumulative_sum",
                                              .type = [](std::span<const Type> x, const Attributes&) { return x[0]; },
                                              .vjp =
                                                  [](const Vjp& v) {
                                                    const Cumulative& c = std::get<Cumulative>(v.attributes);
                                                    return Grads{cumulative(v.dy, c.axis, !c.reverse)};
                                                  },
                                              .jvp = linear_tangent},
                                             CumulativeSum{});
Tensor cumulative(const Tensor& x, int axis, bool reverse) {
  return apply(cumulative_row, {x}, Cumulative{axis, reverse});
}

std::vector<int> checked_axes(const Tensor& x, std::vector<int> axes, std::string_view function) {
  if (axes.empty()) {
    axes.resize(x.shape().size());
    std::iota(axes.begin(), axes.end(), 0);
  }
  for (int& axis : axes) axis = normalized_axis(axis, x.rank(), function);
  std::sort(axes.begin(), axes.end());
  if (std::adjacent_find(axes.begin(), axes.end()) != axes.end())
    throw ShapeError(fmt::format("{}: an axis is given twice", function));
  return axes;
}

}  // namespace

Tensor sum(const Tensor& x, const std::vector<int>& axes) {
  if (x.dtype() == DType::boolean) throw ShapeError("sum: numbers were expected, not bool; use convert()");
  std::vector<int> checked = checked_axes(x, axes, "sum");
  return checked.empty() ? x : apply(sum_row, {x}, Axes{checked});
}

Tensor max(const Tensor& x, const std::vector<int>& axes) {
  std::vector<int> checked = checked_axes(x, axes, "max");
  for (int axis : checked)
    if (x.dim(axis) == 0)
      throw ShapeError(fmt::format("max: nothing to take the maximum of in {}", to_text(x.shape())));
  return checked.empty() ? x : apply(max_row, {x}, Axes{checked});
}

Tensor mean(const Tensor& x, const std::vector<int>& axes) {
  Tensor total = sum(x, axes);
  const double ratio =
      static_cast<double>(element_count(total.shape())) / static_cast<double>(element_count(x.shape()));
  return total * ratio;
}

Tensor min(const Tensor& x, const std::vector<int>& axes) { return -max(-x, axes); }

Tensor cumulative_sum(const Tensor& x, int axis) {
  if (x.dtype() == DType::boolean) throw ShapeError("cumulative_sum: numbers were expected, not bool; use convert()");
  return cumulative(x, normalized_axis(axis, x.rank(), "cumulative_sum"), false);
}

namespace {
/// Each element with all before it, by twice as many in each round.
template <class Function>
Tensor doubling(const Tensor& x, int axis, double neutral, Function f) {
  Tensor result = x;
  for (std::int64_t shift = 1; shift < x.dim(axis); shift *= 2) {
    Shape filled = x.shape(), start(filled.size(), 0), stop = filled;
    filled[static_cast<std::size_t>(axis)] = shift;
    stop[static_cast<std::size_t>(axis)] -= shift;
    result = f(result, concatenate({full(filled, neutral, x.dtype()), slice(result, start, stop)}, axis));
  }
  return result;
}
}  // namespace

Tensor cumulative_max(const Tensor& x, int axis) {
  if (x.dtype() == DType::boolean) throw ShapeError("cumulative_max: numbers were expected, not bool; use convert()");
  const double least = x.dtype() == DType::float32 ? -std::numeric_limits<double>::infinity()
                       : x.dtype() == DType::int32 ? std::numeric_limits<std::int32_t>::min()
                                                   : 0;
  return doubling(x, normalized_axis(axis, x.rank(), "cumulative_max"), least, maximum);
}

Tensor cumulative_prod(const Tensor& x, int axis) {
  if (x.dtype() == DType::boolean) throw ShapeError("cumulative_prod: numbers were expected, not bool; use convert()");
  return doubling(x, normalized_axis(axis, x.rank(), "cumulative_prod"), 1,
                  [](const Tensor& a, const Tensor& b) { return a * b; });
}

Tensor prod(const Tensor& x, const std::vector<int>& axes) {
  Tensor result = x;
  std::vector<int> from_last = checked_axes(x, axes, "prod");
  std::reverse(from_last.begin(), from_last.end());  // an axis that goes moves those behind it alone
  for (const int axis : from_last) {
    const auto at = static_cast<std::size_t>(axis);
    // Halves times halves, so that no derivative divides by an element.
    while (result.shape()[at] > 1) {
      const std::int64_t length = result.shape()[at], half = length / 2;
      auto part = [&](std::int64_t first, std::int64_t end) {
        Shape start(result.shape().size(), 0), stop = result.shape();
        start[at] = first;
        stop[at] = end;
        return slice(result, start, stop);
      };
      const Tensor pairs = part(0, half) * part(half, 2 * half);
      result = length % 2 == 0 ? pairs : concatenate({pairs, part(length - 1, length)}, axis);
    }
    Shape shape = result.shape();
    shape.erase(shape.begin() + axis);
    result = element_count(result.shape()) == 0 ? full(shape, 1, x.dtype()) : reshape(result, shape);
  }
  return result;
}

Tensor argmax(const Tensor& x, int axis) {
  const int at = normalized_axis(axis, x.rank(), "argmax");
  const std::int64_t length = x.dim(at);
  Shape kept = x.shape(), along(x.shape().size(), 1);
  kept[static_cast<std::size_t>(at)] = 1;
  along[static_cast<std::size_t>(at)] = length;
  const Tensor largest = reshape(max(x, {at}), kept);
  const Tensor is_largest = x.dtype() == DType::float32 ? (x == largest) | is_nan(x) : x == largest;
  const Tensor place = broadcast_to(reshape(arange(length), along), x.shape());
  return min(where(is_largest, place, Tensor(static_cast<int>(length - 1))), {at});
}

namespace {
/// Axes that were reduced as dimensions of length 1.
Tensor with_axes(const Tensor& reduced, const Tensor& x, const std::vector<int>& axes) {
  Shape shape = x.shape();
  for (int axis : checked_axes(x, axes, "norm")) shape[static_cast<std::size_t>(axis)] = 1;
  return reshape(reduced, shape);
}
}  // namespace

Tensor norm(const Tensor& x, const std::vector<int>& axes) {
  if (x.dtype() != DType::float32)
    throw ShapeError(fmt::format("norm: float32 was expected, not {}", to_text(x.type())));
  // In units of the largest element no square overflows, and none that matters underflows.
  const Tensor largest = stop_gradient(max(abs(x), axes));
  const Tensor usable = (largest > 0) & (largest < static_cast<double>(std::numeric_limits<float>::infinity()));
  const Tensor unit = where(usable, largest, 1);
  const Tensor total = sum(square(x / with_axes(unit, x, axes)), axes);
  // The root is taken of 1 where all is 0: its derivative there is infinite, and that of the norm 0.
  const Tensor is_zero = total == 0;
  return where(is_zero, 0, unit * sqrt(where(is_zero, 1, total)));
}

Tensor rms(const Tensor& x, const std::vector<int>& axes) {
  const Tensor length = norm(x, axes);
  const double count =
      static_cast<double>(element_count(x.shape())) / static_cast<double>(element_count(length.shape()));
  return length * (1 / std::sqrt(count));
}

Tensor normalize(const Tensor& x, const std::vector<int>& axes) {
  const Tensor length = with_axes(norm(x, axes), x, axes);
  const Tensor is_zero = length == 0;
  return where(is_zero, 0, x / where(is_zero, 1, length));
}

Tensor variance(const Tensor& x, const std::vector<int>& axes) {
  return mean(square(x - with_axes(mean(x, axes), x, axes)), axes);
}

Tensor log_sum_exp(const Tensor& x, const std::vector<int>& axes) {
  const Tensor largest = stop_gradient(max(x, axes));
  // Where all is −∞, so is the result; where something is ∞, it is ∞.
  const Tensor shift = where(abs(largest) < static_cast<double>(std::numeric_limits<float>::infinity()), largest, 0);
  return shift + log(sum(exp(x - with_axes(shift, x, axes)), axes));
}

Tensor log_softmax(const Tensor& logits) {
  Shape kept = logits.shape();
  if (kept.empty()) throw ShapeError("log_softmax: a scalar has no classes");
  kept.back() = 1;
  Tensor shifted = logits - stop_gradient(reshape(max(logits, {-1}), kept));
  return shifted - reshape(log(sum(exp(shifted), {-1})), kept);
}

Tensor softmax(const Tensor& logits) {
  Shape kept = logits.shape();
  if (kept.empty()) throw ShapeError("softmax: a scalar has no classes");
  kept.back() = 1;
  Tensor exponential = exp(logits - stop_gradient(reshape(max(logits, {-1}), kept)));
  return exponential / reshape(sum(exponential, {-1}), kept);
}

Tensor one_hot(const Tensor& labels, std::int64_t classes) {
  return convert(expand_dims(labels, -1) == arange(classes), DType::float32);
}

std::vector<const Primitive*> reduction_primitives() { return {&sum_row, &max_row, &cumulative_row}; }

}  // namespace lopt
