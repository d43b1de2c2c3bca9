// Rows by index.
#include "trace/primitives/elementwise.h"

#include <fmt/format.h>

#include <algorithm>

namespace lopt {
namespace {

using Grads = std::vector<Tensor>;

std::int64_t clamped(std::int64_t index, std::int64_t rows) { return std::clamp<std::int64_t>(index, 0, rows - 1); }

const Primitive gather_row = with_reference(
    {.name = "gather_rows",
     .type =
         [](std::span<const Type> x, const Attributes&) {
           Type result = x[0];
           result.shape[0] = x[1].shape[0];
           return result;
         },
     .vjp =
         [](const Vjp& v) {
           return Grads{scatter_add_rows(v.dy, v.x[1], v.x[0].dim(0)), Tensor()};
         }},
    []<class R>(ReferenceArguments<R>& call) {
      const auto& indices = std::get<xt::xarray<std::int32_t>>(*call.inputs[1]);
      std::visit(
          [&](const auto& x) {
            auto result = make_xarray<typename std::decay_t<decltype(x)>::value_type>(call.type.shape);
            const std::size_t width = x.size() / x.shape(0);
            for (std::size_t i = 0; i < indices.size(); ++i) {
              const auto from =
                  static_cast<std::size_t>(clamped(indices.data()[i], static_cast<std::int64_t>(x.shape(0))));
              std::copy_n(x.data() + from * width, width, result.data() + i * width);
            }
            call.result = std::move(result);
          },
          *call.inputs[0]);
    });
const Primitive scatter_row =
    with_reference({.name = "scatter_add_rows",
                    .type =
                        [](std::span<const Type> x, const Attributes& attributes) {
                          Type result = x[0];
                          result.shape[0] = std::get<Count>(attributes).count;
                          return result;
                        },
                    .vjp =
                        [](const Vjp& v) {
                          return Grads{gather_rows(v.dy, v.x[1]), Tensor()};
                        }},
                   []<class R>(ReferenceArguments<R>& call) {
                     const auto& indices = std::get<xt::xarray<std::int32_t>>(*call.inputs[1]);
                     std::visit(
                         [&](const auto& x) {
                           auto result = make_xarray<typename std::decay_t<decltype(x)>::value_type>(call.type.shape);
                           result.fill(0);
                           const std::size_t width = result.size() / result.shape(0);
                           for (std::size_t i = 0; i < indices.size(); ++i) {
                             const auto to = static_cast<std::size_t>(clamped(indices.data()[i], call.type.shape[0]));
                             for (std::size_t k = 0; k < width; ++k)
                               result.data()[to * width + k] += x.data()[i * width + k];
                           }
                           call.result = std::move(result);
                         },
                         *call.inputs[0]);
                   });

void check(const Tensor& x, const Tensor& indices, std::string_view function) {
  if (indices.dtype() != DType::int32 || indices.rank() != 1)
    throw ShapeError(
        fmt::format("{}: indices are an int32 tensor of one dimension, not {}", function, to_text(indices.type())));
  if (x.rank() < 1) throw ShapeError(fmt::format("{}: a scalar has no rows", function));
}

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

}  // namespace lopt
