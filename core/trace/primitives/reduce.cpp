// Reductions, and what softmax needs of them.
#include "trace/primitives/elementwise.h"

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
                                          .fusion = Fusion::reduction},
                                         []<class R>(ReferenceArguments<R>& call) {
                                           std::visit(
                                               [&](const auto& x) {
                                                 using T = typename std::decay_t<decltype(x)>::value_type;
                                                 call.result = xt::xarray<T>(xt::sum<T>(x, axes_of(call.attributes)));
                                               },
                                               *call.inputs[0]);
                                         });
// Elements that share the maximum share the gradient, as in JAX.
const Primitive max_row = with_reference(
    {.name = "max",
     .type = reduced,
     .vjp =
         [](const Vjp& v) {
           Tensor at_maximum = convert(v.x[0] == spread(v.y, v.x[0], v.attributes), DType::float32);
           Tensor count = sum(at_maximum, std::get<Axes>(v.attributes).axes);
           return Grads{spread(v.dy / count, v.x[0], v.attributes) * at_maximum};
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

}  // namespace lopt
