// Programs to which the order of elements does not matter, and others.
#include "embed/row_order.h"

#include "unit/support.h"

#include <lopt/networks.h>

#include "catch.h"

using namespace lopt;

namespace {

const Shape shape{6, 5};

bool in_any_order(const std::vector<Tensor>& inputs, const Tensor& result) {
  return any_order_will_do(make_program("test", inputs, {result}), {shape});
}

}  // namespace

TEST_CASE("the order of elements does not matter to what works on each, and to sums over all") {
  const Tensor p = make_input("p", {DType::float32, shape}), g = make_input("g", {DType::float32, shape}),
               m = make_input("m", {DType::float32, {6, 5, 2}}), w = make_input("w", {DType::float32, {3, 4}}),
               b = make_input("b", {DType::float32, {4}});
  const std::vector<Tensor> inputs{p, g, m, w, b};
  const auto will_do = [&](const Tensor& result) { return in_any_order(inputs, result); };
  CHECK(will_do(p - 0.1 * g));
  CHECK(will_do(p * rsqrt(mean(square(g)) + 1e-8)));
  CHECK(will_do(expand_dims(p, -1) + m));
  CHECK(will_do(sum(m, {-1})));
  CHECK(will_do(p + full(shape, 2.0)));
  // A network that sees three numbers of each element.
  const Tensor rows = concatenate({reshape(p, {30, 1}), reshape(m, {30, 2})}, 1);
  const Tensor hidden = relu(matmul(rows, w) + b);
  CHECK(will_do(hidden));
  CHECK(will_do(p - reshape(slice(hidden, {0, 1}, {30, 2}), shape)));
}

TEST_CASE("the order of elements matters to rows, columns, products and places") {
  const Tensor p = make_input("p", {DType::float32, shape}), g = make_input("g", {DType::float32, shape}),
               row = make_input("row", {DType::float32, {5}}), key = make_input("key", {DType::uint32, {2}});
  const std::vector<Tensor> inputs{p, g, row, key};
  const auto will_do = [&](const Tensor& result) { return in_any_order(inputs, result); };
  CHECK_FALSE(will_do(p * expand_dims(mean(g, {1}), 1)));
  CHECK_FALSE(will_do(sum(g, {0})));
  CHECK_FALSE(will_do(p + row));
  CHECK_FALSE(will_do(matmul(p, transpose(g))));
  CHECK_FALSE(will_do(transpose(p)));
  CHECK_FALSE(will_do(slice(p, {1, 0}, {6, 5})));
  CHECK_FALSE(will_do(p + normal(Key{key}, shape)));
  CHECK_FALSE(will_do(p + convert(reshape(arange(30), shape), DType::float32)));
  CHECK_FALSE(will_do(reshape(cumulative_sum(reshape(p, {30}), 0), shape)));
}

TEST_CASE("programs are the same but for shapes where a rule asks for none") {
  const auto program = [](const Shape& of, double factor) {
    const Tensor p = make_input("p", {DType::float32, of});
    return make_program("test", {p}, {p * factor + mean(p)});
  };
  CHECK(same_but_for_shapes(program({2, 3}, 2), program({3, 2}, 2)));
  CHECK_FALSE(same_but_for_shapes(program({2, 3}, 2), program({3, 2}, 3)));
  CHECK_FALSE(same_but_for_shapes(program({2, 3}, 2), make_program("test", {}, {full({2}, 1.0)})));
}
