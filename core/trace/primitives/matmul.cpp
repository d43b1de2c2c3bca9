// Matrix products.
#include "trace/primitives/elementwise.h"

#include <fmt/format.h>
#include <xtensor-blas/xblas.hpp>

namespace lopt {
namespace {

using Grads = std::vector<Tensor>;

Tensor product(const Tensor& a, const Tensor& b, bool transpose_a, bool transpose_b);

/// C = op(A) op(B), where op transposes or not.
const Primitive matmul_row =
    with_reference({.name = "matmul",
                    .type =
                        [](std::span<const Type> x, const Attributes& attributes) {
                          const Transposed t = std::get<Transposed>(attributes);
                          return Type{DType::float32, {x[0].shape[t.a ? 1 : 0], x[1].shape[t.b ? 0 : 1]}};
                        },
                    // dA = dC Bᵀ, dB = Aᵀ dC, each transposed where its factor was.
                    .vjp =
                        [](const Vjp& v) {
                          const Transposed t = std::get<Transposed>(v.attributes);
                          const Tensor &a = v.x[0], &b = v.x[1];
                          return Grads{t.a ? product(b, v.dy, t.b, true) : product(v.dy, b, false, !t.b),
                                       t.b ? product(v.dy, a, true, t.a) : product(a, v.dy, !t.a, false)};
                        },
                    .fusion = Fusion::matmul},
                   []<class R>(ReferenceArguments<R>& call) {
                     const Transposed t = std::get<Transposed>(call.attributes);
                     auto result = make_xarray<R>(call.type.shape);
                     result.fill(0);
                     if (call.real(0).size() > 0 && call.real(1).size() > 0)
                       xt::blas::gemm(call.real(0), call.real(1), result, t.a, t.b, R(1), R(0));
                     call.result = std::move(result);
                   });

Tensor product(const Tensor& a, const Tensor& b, bool transpose_a, bool transpose_b) {
  return apply(matmul_row, {a, b}, Transposed{transpose_a, transpose_b});
}

}  // namespace

Tensor matmul(const Tensor& a, const Tensor& b) {
  if (a.dtype() != DType::float32 || b.dtype() != DType::float32)
    throw ShapeError(fmt::format("matmul: {} and {}: float32 was expected", to_text(a.type()), to_text(b.type())));
  if (a.rank() < 1 || b.rank() != 2)
    throw ShapeError(
        fmt::format("matmul: {} and {}: [..., k] and [k, n] were expected", to_text(a.shape()), to_text(b.shape())));
  const std::int64_t inner = a.dim(-1);
  if (inner != b.dim(0))
    throw ShapeError(
        fmt::format("matmul: {} and {}: {} is not {}", to_text(a.shape()), to_text(b.shape()), inner, b.dim(0)));
  Shape result = a.shape();
  result.back() = b.dim(1);
  const std::int64_t rows = element_count(Shape(a.shape().begin(), a.shape().end() - 1));
  return reshape(product(reshape(a, {rows, inner}), b, false, false), result);
}

}  // namespace lopt
