// Matrix products.
#include "trace/primitives/elementwise.h"
#include "trace/primitives/by_name.h"

#include <fmt/format.h>
#include <xtensor-blas/xblas.hpp>

namespace lopt {
namespace {

using Grads = std::vector<Tensor>;

Tensor product(const Tensor& a, const Tensor& b, bool transpose_a, bool transpose_b);

/// Rows for each column of a factor, from which on a product is a layer in a region of rows, where columns of several
/// tensors are its input as they lie.
constexpr std::int64_t tall = 32;

/// d(A B) = dA B + A dB; of a layer, whose A is tall, [dA A] [B; dB]: one layer of twice the inputs.
template <class Product>
Tensor product_tangent(const Jvp& j, Product product) {
  const Transposed t = std::get<Transposed>(j.attributes);
  const Tensor &a = j.x[0], &b = j.x[1];
  if (j.dx[0] && j.dx[1] && a.rank() == 2 && !t.a && a.dim(0) >= tall * a.dim(1))
    return product(concatenate({j.dx[0], a}, 1), concatenate({b, j.dx[1]}, t.b ? 1 : 0), false, t.b);
  Tensor of_a, of_b;
  if (j.dx[0]) of_a = product(j.dx[0], b, t.a, t.b);
  if (j.dx[1]) of_b = product(a, j.dx[1], t.a, t.b);
  return sum_of_tangents(of_a, of_b);
}

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
                    .jvp = [](const Jvp& j) { return product_tangent(j, product); },
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

Tensor products(const Tensor& a, const Tensor& b, bool transpose_a, bool transpose_b);

/// The same for each index of leading dimensions, which both have: [..., m, k] × [..., k, n].
const Primitive batched_row =
    with_reference({.name = "batched_matmul",
                    .type =
                        [](std::span<const Type> x, const Attributes& attributes) {
                          const Transposed t = std::get<Transposed>(attributes);
                          Shape shape = x[0].shape;
                          const std::size_t rank = shape.size();
                          if (t.a) shape[rank - 2] = shape[rank - 1];
                          shape[rank - 1] = x[1].shape[t.b ? rank - 2 : rank - 1];
                          return Type{DType::float32, shape};
                        },
                    .vjp =
                        [](const Vjp& v) {
                          const Transposed t = std::get<Transposed>(v.attributes);
                          const Tensor &a = v.x[0], &b = v.x[1];
                          return Grads{t.a ? products(b, v.dy, t.b, true) : products(v.dy, b, false, !t.b),
                                       t.b ? products(v.dy, a, true, t.a) : products(a, v.dy, !t.a, false)};
                        },
                    .jvp = [](const Jvp& j) { return product_tangent(j, products); },
                    .fusion = Fusion::products},
                   []<class R>(ReferenceArguments<R>& call) {
                     const Transposed t = std::get<Transposed>(call.attributes);
                     const auto &a = call.real(0), &b = call.real(1);
                     auto result = make_xarray<R>(call.type.shape);
                     const std::size_t rank = call.type.shape.size(), m = result.shape(rank - 2),
                                       n = result.shape(rank - 1), k = a.shape(t.a ? rank - 2 : rank - 1);
                     for (std::size_t at = 0; at < result.size(); ++at) {
                       const std::size_t product = at / (m * n), i = at / n % m, j = at % n;
                       const R *left = a.data() + product * m * k, *right = b.data() + product * k * n;
                       R total = 0;
                       for (std::size_t l = 0; l < k; ++l)
                         total += left[t.a ? l * m + i : i * k + l] * right[t.b ? j * k + l : l * n + j];
                       result.data()[at] = total;
                     }
                     call.result = std::move(result);
                   });

Tensor products(const Tensor& a, const Tensor& b, bool transpose_a, bool transpose_b) {
  return apply(batched_row, {a, b}, Transposed{transpose_a, transpose_b});
}

/// x with the leading dimensions `leading` before its last two.
Tensor with_leading(const Tensor& x, const Shape& leading) {
  Shape shape = leading;
  shape.push_back(x.dim(-2));
  shape.push_back(x.dim(-1));
  return broadcast_to(x, shape);
}
Shape leading_of(const Tensor& x) { return {x.shape().begin(), x.shape().end() - 2}; }

}  // namespace

Tensor matmul(const Tensor& a, const Tensor& b) {
  if (a.dtype() != DType::float32 || b.dtype() != DType::float32)
    throw ShapeError(fmt::format("matmul: {} and {}: float32 was expected", to_text(a.type()), to_text(b.type())));
  if (a.rank() < 1 || b.rank() < 2)
    throw ShapeError(fmt::format("matmul: {} and {}: [..., m, k] and [..., k, n] were expected", to_text(a.shape()),
                                 to_text(b.shape())));
  const std::int64_t inner = a.dim(-1);
  if (inner != b.dim(-2))
    throw ShapeError(
        fmt::format("matmul: {} and {}: {} is not {}", to_text(a.shape()), to_text(b.shape()), inner, b.dim(-2)));
  if (b.rank() > 2) {
    if (a.rank() == 1) return take(matmul(expand_dims(a, 0), b), 0, -2);
    const Shape leading = broadcast_shape(leading_of(a), leading_of(b), "matmul");
    return products(with_leading(a, leading), with_leading(b, leading), false, false);
  }
  Shape result = a.shape();
  result.back() = b.dim(1);
  const std::int64_t rows = element_count(Shape(a.shape().begin(), a.shape().end() - 1));
  return reshape(product(reshape(a, {rows, inner}), b, false, false), result);
}

std::vector<const Primitive*> product_primitives() { return {&matmul_row, &batched_row}; }

}  // namespace lopt
