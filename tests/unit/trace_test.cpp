// Shapes, trees, programs: what tracing makes, and what it says when things do not fit.
#include "gradient/gradient.h"
#include "unit/support.h"

#include "catch.h"

#include <map>
#include <string_view>

using namespace lopt;
using namespace lopt::test;

namespace {
Tensor real(Shape shape) { return make_input("x", {DType::float32, std::move(shape)}); }
}  // namespace

TEST_CASE("shapes that do not fit are named in a sentence") {
  CHECK_THROWS_WITH(matmul(real({128, 64}), real({32, 10})), "matmul: [128, 64] and [32, 10]: 64 is not 32");
  CHECK_THROWS_WITH(real({3, 4}) + real({3, 5}), Contains("[3, 4] and [3, 5]: 4 is not 5"));
  CHECK_THROWS_WITH(reshape(real({6}), {4}), Contains("[6] does not fit [4]"));
  CHECK_THROWS_WITH(sum(real({6}), {1}), Contains("axis 1 of a tensor of 1 dimensions"));
  CHECK_THROWS_WITH(slice(real({6}), {2}, {7}), Contains("[2] to [7] of [6]"));
  CHECK_THROWS_WITH(concatenate({real({2, 3}), real({2, 4})}, 0), Contains("concatenate"));
  CHECK_THROWS_WITH(transpose(real({2, 3}), {0, 0}), Contains("do not name each dimension"));
  CHECK_THROWS_WITH(real({2}) + make_input("i", {DType::int32, {2}}), Contains("different types"));
  CHECK_THROWS_WITH(broadcast_to(real({1}), {65536, 65536}), Contains("more than 2147483647 elements"));
  CHECK_THROWS_WITH(gradient(real({2}), std::vector<Tensor>{}), Contains("not a float32 scalar"));
  CHECK_THROWS_AS(where(real({2}), real({2}), real({2})), ShapeError);
  CHECK_THROWS_AS(log(make_input("i", {DType::int32, {2}})), ShapeError);
}

TEST_CASE("numbers take the type of what they meet") {
  CHECK((make_input("i", {DType::int32, {2}}) + 1).dtype() == DType::int32);
  CHECK((0.5 * real({2})).dtype() == DType::float32);
  CHECK((real({2}) < 1).dtype() == DType::boolean);
}

TEST_CASE("trees: names, arithmetic, and sentences about what is missing") {
  const Tree tree{{"a", real({2})}, {"b", {{"c", real({3})}}}};
  CHECK(tree.paths() == std::vector<std::string>{"a", "b/c"});
  const Tree sum = 2.0 * tree + tree;
  CHECK(sum["b"]["c"].leaf().shape() == Shape{3});
  CHECK_THROWS_WITH(tree["x"], Contains("'x'") && Contains("a, b"));
  CHECK_THROWS_WITH(tree + Tree({{"a", real({2})}}), Contains("different structure") && Contains("b/c"));
  CHECK_THROWS_AS(tree.leaf(), TreeError);
}

TEST_CASE("a program holds each computation once and nothing that is not needed") {
  const Tensor x = real({4});
  const Tensor twice = exp(x) * exp(x), unused = log(x);
  const Program program = make_program("p", {x}, {twice * 1.0, stop_gradient(twice)});
  std::size_t exps = 0;
  for (const Operation& operation : program.operations) {
    exps += operation.primitive->name == "exp";
    CHECK(operation.primitive->name != "log");
    CHECK(operation.primitive->name != "stop_gradient");
  }
  CHECK(exps == 1);
  CHECK(program.outputs[0] == program.outputs[1]);
  CHECK_THAT(to_text(program), Contains("multiply") && Contains("return"));
  static_cast<void>(unused);
}

TEST_CASE("a program that depends on something that is no input is refused") {
  CHECK_THROWS_WITH(make_program("p", {}, {exp(real({2}))}), Contains("none of its inputs"));
}

TEST_CASE("long chains neither recurse nor leak") {
  Tensor x = real({1}), y = x;
  for (int i = 0; i < 200000; ++i) y = y + x;
  const Program program = make_program("chain", {x}, {y});
  CHECK(program.operations.size() == 200001);
}

TEST_CASE("nothing flows through stop_gradient, and zero gradients have their shape") {
  const Tensor x = real({3});
  const std::vector<Tensor> g = gradient(sum(stop_gradient(x)), std::vector<Tensor>{x});
  CHECK(g[0].shape() == Shape{3});
  CHECK(!vector_jacobian({stop_gradient(x)}, {x}, {x})[0]);
}

TEST_CASE("arrays share until they are written to") {
  Array a({2}, std::vector<float>{1, 2}), b = a;
  b.mutable_values<float>()[0] = 5;
  CHECK(a.values<float>()[0] == 1);
  CHECK_THROWS_AS(a.values<std::int32_t>(), std::invalid_argument);
  CHECK_THROWS_AS(a.item<float>(), std::invalid_argument);
  CHECK_THROWS_AS(a.reshaped({3}), std::invalid_argument);
  CHECK(stack_arrays(std::vector<Array>{a, b}).shape() == Shape{2, 2});
  CHECK(stack_arrays(std::vector<Array>{a, b}).row(1) == b);
}

TEST_CASE("what slices of a value give back is joined, not added to zeros") {
  const Tensor x = make_input("x", {DType::float32, {4, 9}});
  const auto part = [&](std::int64_t begin, std::int64_t end) { return slice(x, {0, begin}, {4, end}); };
  // In any order; the last column is in no slice, one in the middle in two.
  const Tensor loss = sum(exp(part(3, 6)) * 2) + sum(square(part(6, 8))) + sum(sin(part(0, 3))) + sum(part(2, 4));
  const Program program = make_program("parts", {x}, {gradient(loss, std::vector<Tensor>{x})[0]});
  std::map<std::string_view, int> count;
  for (const Operation& operation : program.operations) ++count[operation.primitive->name];
  CHECK(count["pad"] == 2);
  CHECK(count["concatenate"] >= 1);
  std::mt19937 random(5);
  const Array at = random_array(random, x.type(), -1, 1);
  const Array made = compile(program).run(std::vector<Array>{at})[0];
  for (std::size_t i = 0; i < made.size(); ++i) {
    const std::size_t column = i % 9;
    const double value = at.values<float>()[i];
    double expected = column < 3 ? std::cos(value) : column < 6 ? 2 * std::exp(value) : column < 8 ? 2 * value : 0;
    if (column == 2 || column == 3) expected += 1;
    CHECK(made.values<float>()[i] == Approx(expected));
  }
}
