// Primitives that move elements without changing them, inputs and constants.
#include "trace/primitives/elementwise.h"
#include "trace/primitives/by_name.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <numeric>

namespace lopt {
namespace {

using Grads = std::vector<Tensor>;
std::size_t index(int i) { return static_cast<std::size_t>(i); }

/// Steps between elements of a row-major array, in elements.
Shape strides_of(const Shape& shape) {
  Shape strides(shape.size(), 1);
  for (std::size_t i = shape.size(); i-- > 1;) strides[i - 1] = strides[i] * shape[i];
  return strides;
}
/// Elements of `size` bytes: to[Σ index · to_strides] = from[Σ index · from_strides] for each index below `lengths`.
void move_elements(const Shape& lengths, std::size_t size, const std::byte* from, const Shape& from_strides,
                   std::byte* to, const Shape& to_strides) {
  Shape index(lengths.size(), 0);
  for (std::int64_t left = element_count(lengths); left > 0; --left) {
    const std::int64_t source = std::inner_product(index.begin(), index.end(), from_strides.begin(), std::int64_t{0}),
                       target = std::inner_product(index.begin(), index.end(), to_strides.begin(), std::int64_t{0});
    std::memcpy(to + target * static_cast<std::int64_t>(size), from + source * static_cast<std::int64_t>(size), size);
    for (std::size_t axis = lengths.size(); axis-- > 0 && ++index[axis] == lengths[axis];) index[axis] = 0;
  }
}
std::int64_t offset_of(const Shape& start, const Shape& strides) {
  return std::inner_product(start.begin(), start.end(), strides.begin(), std::int64_t{0});
}

/// The result, zeros but for what f(x, result) puts there for each input x.
template <class R, class Function>
void placed(ReferenceArguments<R>& call, Function f) {
  std::visit(
      [&](const auto& first) {
        using X = std::decay_t<decltype(first)>;
        auto result = make_xarray<typename X::value_type>(call.type.shape);
        result.fill(0);
        for (const auto* input : call.inputs) {
          const X& x = std::get<X>(*input);
          f(Shape(x.shape().begin(), x.shape().end()), sizeof(typename X::value_type),
            reinterpret_cast<const std::byte*>(x.data()), reinterpret_cast<std::byte*>(result.data()));
        }
        call.result = std::move(result);
      },
      *call.inputs[0]);
}
const Primitive reshape_row =
    with_reference({.name = "reshape",
                    .type =
                        [](std::span<const Type> x, const Attributes& a) {
                          return Type{x[0].dtype, std::get<Target>(a).shape};
                        },
                    .vjp = [](const Vjp& v) { return Grads{reshape(v.dy, v.x[0].shape())}; },
                    .jvp = linear_tangent,
                    .fusion = Fusion::view},
                   []<class R>(ReferenceArguments<R>& call) {
                     placed(call, [](const Shape& shape, std::size_t size, const std::byte* from, std::byte* to) {
                       move_elements({element_count(shape)}, size, from, {1}, to, {1});
                     });
                   });

/// Sums dy over the dimensions that were broadcast.
Tensor sum_to(const Tensor& dy, const Shape& shape) {
  std::vector<int> axes;
  const int extra = dy.rank() - static_cast<int>(shape.size());
  for (int i = 0; i < dy.rank(); ++i)
    if (i < extra || (shape[index(i - extra)] == 1 && dy.shape()[index(i)] != 1)) axes.push_back(i);
  return axes.empty() ? reshape(dy, shape) : reshape(sum(dy, axes), shape);
}
const Primitive broadcast_row =
    with_reference({.name = "broadcast",
                    .type =
                        [](std::span<const Type> x, const Attributes& a) {
                          const Shape& target = std::get<Target>(a).shape;
                          if (broadcast_shape(x[0].shape, target, "broadcast_to") != target)
                            throw ShapeError(fmt::format("broadcast_to: {} does not broadcast to {}",
                                                         to_text(x[0].shape), to_text(target)));
                          return Type{x[0].dtype, target};
                        },
                    .vjp = [](const Vjp& v) { return Grads{sum_to(v.dy, v.x[0].shape())}; },
                    .jvp = linear_tangent,
                    .fusion = Fusion::view},
                   []<class R>(ReferenceArguments<R>& call) {
                     placed(call, [&](const Shape& shape, std::size_t size, const std::byte* from, std::byte* to) {
                       const Shape& target = call.type.shape;
                       Shape strides = strides_of(shape);
                       for (std::size_t i = 0; i < shape.size(); ++i)
                         if (shape[i] == 1) strides[i] = 0;
                       strides.insert(strides.begin(), target.size() - shape.size(), 0);
                       move_elements(target, size, from, strides, to, strides_of(target));
                     });
                   });

const Primitive transpose_row =
    with_reference({.name = "transpose",
                    .type =
                        [](std::span<const Type> x, const Attributes& a) {
                          Type result{x[0].dtype, {}};
                          for (int axis : std::get<Axes>(a).axes) result.shape.push_back(x[0].shape[index(axis)]);
                          return result;
                        },
                    .vjp =
                        [](const Vjp& v) {
                          const std::vector<int>& axes = std::get<Axes>(v.attributes).axes;
                          std::vector<int> inverse(axes.size());
                          for (std::size_t i = 0; i < axes.size(); ++i) inverse[index(axes[i])] = static_cast<int>(i);
                          return Grads{transpose(v.dy, inverse)};
                        },
                    .jvp = linear_tangent},
                   []<class R>(ReferenceArguments<R>& call) {
                     const auto& axes = std::get<Axes>(call.attributes).axes;
                     placed(call, [&](const Shape& shape, std::size_t size, const std::byte* from, std::byte* to) {
                       const Shape strides = strides_of(shape);
                       Shape turned;
                       for (int axis : axes) turned.push_back(strides[index(axis)]);
                       move_elements(call.type.shape, size, from, turned, to, strides_of(call.type.shape));
                     });
                   });

/// Places y into zeros of `shape` at start, start + stride, …
Tensor unslice(const Tensor& dy, const Shape& shape, const Bounds& bounds);

const Primitive slice_row = with_reference(
    {.name = "slice",
     .type =
         [](std::span<const Type> x, const Attributes& a) {
           const auto& [start, stop, stride] = std::get<Bounds>(a);
           Type result{x[0].dtype, {}};
           for (std::size_t i = 0; i < start.size(); ++i) {
             if (start[i] < 0 || stop[i] > x[0].shape[i] || start[i] > stop[i] || stride[i] < 1)
               throw ShapeError(
                   fmt::format("slice: {} to {} of {}", to_text(start), to_text(stop), to_text(x[0].shape)));
             result.shape.push_back((stop[i] - start[i] + stride[i] - 1) / stride[i]);
           }
           return result;
         },
     .vjp = [](const Vjp& v) { return Grads{unslice(v.dy, v.x[0].shape(), std::get<Bounds>(v.attributes))}; },
     .jvp = linear_tangent,
     .fusion = Fusion::columns},
    []<class R>(ReferenceArguments<R>& call) {
      const Bounds& bounds = std::get<Bounds>(call.attributes);
      placed(call, [&](const Shape& shape, std::size_t size, const std::byte* from, std::byte* to) {
        Shape strides = strides_of(shape);
        from += offset_of(bounds.start, strides) * static_cast<std::int64_t>(size);
        for (std::size_t i = 0; i < strides.size(); ++i) strides[i] *= bounds.stride[i];
        move_elements(call.type.shape, size, from, strides, to, strides_of(call.type.shape));
      });
    });

const Primitive pad_row =
    with_reference({.name = "pad",
                    .type =
                        [](std::span<const Type> x, const Attributes& a) {
                          const auto& [before, after] = std::get<Padding>(a);
                          Type result = x[0];
                          for (std::size_t i = 0; i < before.size(); ++i) {
                            if (before[i] < 0 || after[i] < 0)
                              throw ShapeError(fmt::format("pad: {} and {} of {}", to_text(before), to_text(after),
                                                           to_text(x[0].shape)));
                            result.shape[i] += before[i] + after[i];
                          }
                          return result;
                        },
                    .vjp =
                        [](const Vjp& v) {
                          const auto& padding = std::get<Padding>(v.attributes);
                          Shape stop = padding.before;
                          for (std::size_t i = 0; i < stop.size(); ++i) stop[i] += v.x[0].shape()[i];
                          return Grads{slice(v.dy, padding.before, stop)};
                        },
                    .jvp = linear_tangent,
                    .fusion = Fusion::columns},
                   []<class R>(ReferenceArguments<R>& call) {
                     const auto& before = std::get<Padding>(call.attributes).before;
                     const Shape strides = strides_of(call.type.shape);
                     placed(call, [&](const Shape& shape, std::size_t size, const std::byte* from, std::byte* to) {
                       move_elements(shape, size, from, strides_of(shape),
                                     to + offset_of(before, strides) * static_cast<std::int64_t>(size), strides);
                     });
                   });

const Primitive concatenate_row =
    with_reference({.name = "concatenate",
                    .type =
                        [](std::span<const Type> x, const Attributes& a) {
                          const std::size_t axis = index(std::get<Axes>(a).axes[0]);
                          Type result = x[0];
                          for (const Type& next : x.subspan(1)) {
                            Type expected = next;
                            if (next.shape.size() == result.shape.size()) expected.shape[axis] = result.shape[axis];
                            if (expected != result)
                              throw ShapeError(fmt::format("concatenate: {} and {} along dimension {}", to_text(x[0]),
                                                           to_text(next), axis));
                            result.shape[axis] += next.shape[axis];
                          }
                          return result;
                        },
                    .vjp =
                        [](const Vjp& v) {
                          const std::size_t axis = index(std::get<Axes>(v.attributes).axes[0]);
                          Grads result;
                          Shape start(v.dy.shape().size(), 0), stop = v.dy.shape();
                          for (const Tensor& x : v.x) {
                            stop[axis] = start[axis] + x.shape()[axis];
                            result.push_back(slice(v.dy, start, stop));
                            start[axis] = stop[axis];
                          }
                          return result;
                        },
                    .jvp = linear_tangent,
                    .fusion = Fusion::columns},
                   []<class R>(ReferenceArguments<R>& call) {
                     const std::size_t axis = index(std::get<Axes>(call.attributes).axes[0]);
                     const Shape strides = strides_of(call.type.shape);
                     std::int64_t at = 0;
                     placed(call, [&](const Shape& shape, std::size_t size, const std::byte* from, std::byte* to) {
                       move_elements(shape, size, from, strides_of(shape),
                                     to + at * strides[axis] * static_cast<std::int64_t>(size), strides);
                       at += shape[axis];
                     });
                   });

Tensor unslice(const Tensor& dy, const Shape& shape, const Bounds& bounds) {
  Tensor result = dy;
  Shape before = bounds.start, after(shape.size());
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (bounds.stride[i] != 1) {  // put stride − 1 zeros behind each element
      Shape wide = result.shape(), padding(shape.size() + 1, 0), flat = wide;
      wide.insert(wide.begin() + static_cast<std::ptrdiff_t>(i) + 1, 1);
      padding[i + 1] = bounds.stride[i] - 1;
      flat[i] *= bounds.stride[i];
      result = reshape(pad(reshape(result, wide), Shape(padding.size(), 0), padding), flat);
      const std::int64_t room = shape[i] - before[i];
      if (flat[i] > room) {
        Shape stop = flat;
        stop[i] = room;
        result = slice(result, Shape(stop.size(), 0), stop);
      }
    }
    after[i] = shape[i] - before[i] - result.shape()[i];
  }
  return pad(result, before, after);
}

}  // namespace

const Primitive input_primitive{.name = "input", .fusion = Fusion::leaf};
const Primitive constant_primitive{.name = "constant", .fusion = Fusion::leaf};
const Primitive stop_gradient_primitive =
    with_reference({.name = "stop_gradient",
                    .type = [](std::span<const Type> x, const Attributes&) { return x[0]; },
                    .fusion = Fusion::view},
                   []<class R>(ReferenceArguments<R>& call) { call.result = *call.inputs[0]; });

Tensor stop_gradient(const Tensor& x) { return apply(stop_gradient_primitive, {x}); }

Tensor reshape(const Tensor& x, const Shape& shape) {
  Shape target = shape;
  const std::int64_t count = element_count(x.shape());
  auto free = std::find(target.begin(), target.end(), -1);
  if (free != target.end()) {
    *free = 1;
    const std::int64_t rest = element_count(target);
    *free = rest ? count / rest : 0;
  }
  if (std::any_of(target.begin(), target.end(), [](std::int64_t n) { return n < 0; }) || element_count(target) != count)
    throw ShapeError(fmt::format("reshape: {} does not fit {}", to_text(x.shape()), to_text(shape)));
  return target == x.shape() ? x : apply(reshape_row, {x}, Target{target});
}

Tensor broadcast_to(const Tensor& x, const Shape& shape) {
  return x.shape() == shape ? x : apply(broadcast_row, {x}, Target{shape});
}

Tensor expand_dims(const Tensor& x, int axis) {
  Shape shape = x.shape();
  shape.insert(shape.begin() + normalized_axis(axis, x.rank() + 1, "expand_dims"), 1);
  return reshape(x, shape);
}

Tensor transpose(const Tensor& x, std::vector<int> axes) {
  if (axes.empty()) {
    axes.resize(index(x.rank()));
    std::iota(axes.rbegin(), axes.rend(), 0);
  }
  std::vector<int> sorted;
  for (int& axis : axes) sorted.push_back(axis = normalized_axis(axis, x.rank(), "transpose"));
  std::sort(sorted.begin(), sorted.end());
  for (std::size_t i = 0; i < sorted.size(); ++i)
    if (sorted[i] != static_cast<int>(i) || axes.size() != x.shape().size())
      throw ShapeError(fmt::format("transpose: the axes do not name each dimension of {} once", to_text(x.shape())));
  return std::is_sorted(axes.begin(), axes.end()) ? x : apply(transpose_row, {x}, Axes{axes});
}

Tensor slice(const Tensor& x, const Shape& start, const Shape& stop, const Shape& stride) {
  const std::size_t rank = x.shape().size();
  Bounds bounds{start, stop, stride.empty() ? Shape(rank, 1) : stride};
  if (start.size() != rank || stop.size() != rank || bounds.stride.size() != rank)
    throw ShapeError(
        fmt::format("slice: {} to {} for a tensor of shape {}", to_text(start), to_text(stop), to_text(x.shape())));
  const bool whole = stop == x.shape() && std::all_of(start.begin(), start.end(), [](auto n) { return n == 0; }) &&
                     bounds.stride == Shape(rank, 1);
  return whole ? x : apply(slice_row, {x}, bounds);
}

Tensor take(const Tensor& x, std::int64_t position, int axis) {
  const std::size_t at = index(normalized_axis(axis, x.rank(), "take"));
  Shape start(x.shape().size(), 0), stop = x.shape(), rest = x.shape();
  start[at] = position < 0 ? position + x.shape()[at] : position;
  stop[at] = start[at] + 1;
  rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(at));
  return reshape(slice(x, start, stop), rest);
}

Tensor pad(const Tensor& x, const Shape& before, const Shape& after) {
  const std::size_t rank = x.shape().size();
  if (before.size() != rank || after.size() != rank)
    throw ShapeError(
        fmt::format("pad: {} and {} for a tensor of shape {}", to_text(before), to_text(after), to_text(x.shape())));
  return before == Shape(rank, 0) && after == Shape(rank, 0) ? x : apply(pad_row, {x}, Padding{before, after});
}

Tensor concatenate(const std::vector<Tensor>& tensors, int axis) {
  if (tensors.empty()) throw ShapeError("concatenate: no tensors");
  const int at = normalized_axis(axis, tensors[0].rank(), "concatenate");
  return tensors.size() == 1 ? tensors[0] : apply(concatenate_row, tensors, Axes{{at}});
}

Tensor stack(const std::vector<Tensor>& tensors, int axis) {
  if (tensors.empty()) throw ShapeError("stack: no tensors");
  const int at = normalized_axis(axis, tensors[0].rank() + 1, "stack");
  std::vector<Tensor> expanded;
  for (const Tensor& tensor : tensors) expanded.push_back(expand_dims(tensor, at));
  return concatenate(expanded, at);
}

namespace {
/// Column − row of each element of the last two dimensions.
Tensor above_diagonal(const Tensor& x, std::string_view function) {
  if (x.rank() < 2) throw ShapeError(fmt::format("{}: {} has no triangle", function, to_text(x.shape())));
  return arange(x.dim(-1)) - expand_dims(arange(x.dim(-2)), 1);
}
}  // namespace

Tensor lower_triangle(const Tensor& x, int diagonal) {
  const Tensor keep = above_diagonal(x, "lower_triangle") <= Tensor(diagonal);
  return where(keep, x, Tensor(0));
}
Tensor upper_triangle(const Tensor& x, int diagonal) {
  const Tensor keep = above_diagonal(x, "upper_triangle") >= Tensor(diagonal);
  return where(keep, x, Tensor(0));
}

Tensor full(const Shape& shape, double value, DType dtype) {
  Tensor scalar = dtype == DType::float32 ? Tensor(Array::scalar(static_cast<float>(value)))
                  : dtype == DType::int32 ? Tensor(Array::scalar(static_cast<std::int32_t>(value)))
                                          : Tensor(Array::scalar(static_cast<std::uint32_t>(value)));
  if (dtype == DType::boolean) scalar = scalar != 0;
  return broadcast_to(scalar, shape);
}
Tensor zeros(const Shape& shape, DType dtype) { return full(shape, 0, dtype); }
Tensor ones(const Shape& shape) { return full(shape, 1); }
Tensor zeros_like(const Tensor& x) { return zeros(x.shape(), x.dtype()); }
Tensor arange(std::int64_t n) {
  std::vector<std::int32_t> values(static_cast<std::size_t>(n));
  std::iota(values.begin(), values.end(), 0);
  return Tensor(Array({n}, values));
}

std::vector<const Primitive*> shape_primitives() {
  return {&reshape_row, &broadcast_row,   &transpose_row,          &slice_row,
          &pad_row,     &concatenate_row, &stop_gradient_primitive};
}

}  // namespace lopt
