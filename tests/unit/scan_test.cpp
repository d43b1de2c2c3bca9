// Loops over time: against the same steps written out, in both executors, with first and second derivatives.
#include "gradient/gradient.h"
#include "unit/support.h"

#include <lopt/networks.h>
#include <lopt/scan.h>

#include "catch.h"

#include <chrono>
#include <cstring>

using namespace lopt;
using namespace lopt::test;

namespace {

Type real(Shape shape) { return {DType::float32, std::move(shape)}; }

/// What a case computes from its inputs, by a loop or written out.
using Loss = std::function<Tensor(const std::vector<Tensor>&, bool by_scan)>;

ScanResult written_out(const ScanFunction& step, std::vector<Tensor> carry, const std::vector<Tensor>& sequences,
                       bool reverse) {
  const std::int64_t length = sequences[0].dim(0);
  std::vector<std::vector<Tensor>> outputs(static_cast<std::size_t>(length));
  for (std::int64_t i = 0; i < length; ++i) {
    const std::int64_t t = reverse ? length - 1 - i : i;
    std::vector<Tensor> x;
    for (const Tensor& sequence : sequences) x.push_back(take(sequence, t, 0));
    ScanStep result = step(carry, x);
    carry = result.carry;
    outputs[static_cast<std::size_t>(t)] = result.outputs;
  }
  ScanResult all{carry, {}};
  for (std::size_t k = 0; k < outputs[0].size(); ++k) {
    std::vector<Tensor> values;
    for (const auto& at : outputs) values.push_back(at[k]);
    all.outputs.push_back(stack(values, 0));
  }
  return all;
}

/// Two carries, two sequences, one of them of integers; constants from outside, one of them computed there.
Tensor loss_of(const std::vector<Tensor>& x, bool by_scan, ScanOptions options) {
  const Tensor scale = exp(x[4]), bias = x[3];
  const ScanFunction step = [&](const std::vector<Tensor>& carry, const std::vector<Tensor>& at) {
    const Tensor h = tanh(matmul(carry[0], x[2]) + at[0] + bias);
    const Tensor level = carry[1] * 0.9 + sum(h * scale) + convert(at[1], DType::float32);
    return ScanStep{{h, level}, {h * level, sum(square(h), {1})}};
  };
  const std::vector<Tensor> carry{x[0], Tensor(full({}, 0.5))}, sequences{x[1], x[5]};
  const ScanResult r =
      by_scan ? scan(step, carry, sequences, options) : written_out(step, carry, sequences, options.reverse);
  return sum(square(r.carry[0])) + 0.01 * r.carry[1] + 0.02 * sum(r.outputs[0] * r.outputs[0]) + sum(sin(r.outputs[1]));
}

void require_same(const std::vector<Tensor>& inputs, const std::vector<Array>& values, const std::vector<Tensor>& loop,
                  const std::vector<Tensor>& plain) {
  const Program by_scan = make_program("scan", inputs, loop), expected = make_program("plain", inputs, plain);
  const std::vector<Array> want = evaluate_reference(expected, values), planned = compile(by_scan).run(values),
                           reference = evaluate_reference(by_scan, values);
  for (std::size_t i = 0; i < want.size(); ++i) {
    INFO("output " << i);
    CHECK(difference(planned[i], want[i]) < 3e-5);
    CHECK(difference(reference[i], want[i]) < 3e-5);
  }
}

}  // namespace

TEST_CASE("a scan gives what its steps give, and so do its first and second derivatives") {
  const auto [reverse, recompute] =
      GENERATE(table<bool, bool>({{false, false}, {true, false}, {false, true}, {true, true}}));
  INFO("reverse " << reverse << ", recompute " << recompute);
  std::mt19937 random(5);
  const std::vector<Type> types{real({3, 4}), real({7, 3, 4}), real({4, 4}), real({4}), real({4}), {DType::int32, {7}}};
  std::vector<Tensor> inputs;
  std::vector<Array> values;
  for (const Type& type : types) {
    inputs.push_back(make_input("x", type));
    values.push_back(random_array(random, type, -0.5, 0.5));
  }
  const ScanOptions options{.reverse = reverse, .recompute = recompute};
  const Tensor loop = loss_of(inputs, true, options), plain = loss_of(inputs, false, options);
  require_same(inputs, values, {loop}, {plain});
  const std::vector<Tensor> reals(inputs.begin(), inputs.begin() + 5);
  const std::vector<Tensor> slopes = gradient(loop, reals), expected = gradient(plain, reals);
  require_same(inputs, values, slopes, expected);
  Tensor square_of = Tensor(0.0), square_expected = Tensor(0.0);
  for (std::size_t i = 0; i < reals.size(); ++i) {
    square_of = square_of + 0.01 * sum(square(slopes[i]));
    square_expected = square_expected + 0.01 * sum(square(expected[i]));
  }
  require_same(inputs, values, gradient(square_of, reals), gradient(square_expected, reals));
  std::vector<Tensor> directions;
  for (const Tensor& x : reals) directions.emplace_back(random_array(random, x.type(), -1, 1));
  require_same(inputs, values, jacobian_vector({loop}, reals, directions), jacobian_vector({plain}, reals, directions));
  require_same(inputs, values, jacobian_vector(slopes, reals, directions),
               jacobian_vector(expected, reals, directions));
  const Tensor along = jacobian_vector({loop}, reals, directions)[0],
               along_expected = jacobian_vector({plain}, reals, directions)[0];
  require_same(inputs, values, gradient(along, reals), gradient(along_expected, reals));
}

TEST_CASE("a program does not grow with a scan's length, and plans in little time") {
  const auto program = [](std::int64_t length) {
    const Tensor x = make_input("x", real({length, 8, 16})), w = make_input("w", real({32, 48})),
                 b = make_input("b", real({48})), h = make_input("h", real({8, 16}));
    const ScanResult r = scan(
        [&](const std::vector<Tensor>& carry, const std::vector<Tensor>& at) {
          const Tensor next = gru(at[0], carry[0], w, b);
          return ScanStep{{next}, {next}};
        },
        {h}, {x});
    return make_program("gru", {x, w, b, h}, gradient(sum(square(r.outputs[0])), {w, b}));
  };
  CHECK(program(1000).operations.size() == program(10).operations.size());
  const auto start = std::chrono::steady_clock::now();
  make_plan(program(1000));
  CHECK(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() < 2);
}

namespace {
/// Twice its input, and how often that was computed.
class Counting final : public HostPrimitive {
 public:
  explicit Counting(int& count) : count_(count) {}
  std::string name() const override { return "counting"; }
  Shape shape(std::span<const Shape> inputs) const override { return inputs[0]; }
  void evaluate(std::span<const std::span<const float>> inputs, std::span<float> output) const override {
    ++count_;
    for (std::size_t i = 0; i < output.size(); ++i) output[i] = 2 * inputs[0][i];
  }
  std::vector<Tensor> vjp(const std::vector<Tensor>&, const Tensor&, const Tensor& dy) const override {
    return {dy * 2};
  }

 private:
  int& count_;
};
}  // namespace

TEST_CASE("one of two branches runs, in the value and in the gradient") {
  const Tensor x = make_input("x", real({3})), w = make_input("w", real({3}));
  int first = 0, second = 0;
  const auto counting = [&](int& count) { return std::make_shared<Counting>(count); };
  const Tensor condition = sum(x) > 0;
  const std::vector<Tensor> results = cond(
      condition,
      [&](const std::vector<Tensor>& a) {
        return std::vector<Tensor>{apply(counting(first), {a[0]}) * a[1], sum(log(a[0]))};
      },
      [&](const std::vector<Tensor>& a) {
        return std::vector<Tensor>{a[0] + apply(counting(second), {square(a[1])}), sum(a[1])};
      },
      {x, w});
  const Tensor loss = sum(results[0]) + results[1];
  std::vector<Tensor> outputs{loss};
  for (const Tensor& g : gradient(loss, std::vector<Tensor>{x, w})) outputs.push_back(g);
  const Program program = make_program("cond", {x, w}, outputs);
  const Executable planned = compile(program);
  const auto check = [&](const std::vector<float>& at, float expected, std::vector<float> dx, std::vector<float> dw) {
    const std::vector<Array> inputs{Array({3}, at), Array({3}, std::vector<float>{1, 2, 3})};
    for (const std::vector<Array>& made : {planned.run(inputs), evaluate_reference(program, inputs)}) {
      CHECK(made[0].item<float>() == Approx(expected));
      for (std::size_t i = 0; i < 3; ++i) {
        CHECK(made[1].values<float>()[i] == Approx(dx[i]));
        CHECK(made[2].values<float>()[i] == Approx(dw[i]));
      }
    }
  };
  check({1, 2, 4}, 2 * (1 + 4 + 12) + std::log(8.0F), {3, 4.5F, 6.25F}, {2, 4, 8});
  CHECK(first == 4);  // by two executors, and again for the gradient
  CHECK(second == 0);
  check({-1, -2, -4}, -7 + 2 * 14 + 6, {1, 1, 1}, {5, 9, 13});
  CHECK(first == 4);  // by two executors, and again for the gradient
  CHECK(second == 2);
  // Forward, through branches and what plugins bring, the slope is that of the gradients.
  const Tensor u(Array({3}, std::vector<float>{0.5F, -1, 2})), v(Array({3}, std::vector<float>{-3, 1, 0.25F}));
  const Program along = make_program(
      "along", {x, w}, {jacobian_vector({loss}, {x, w}, {u, v})[0], sum(outputs[1] * u) + sum(outputs[2] * v)});
  for (const std::vector<float>& at : {std::vector<float>{1, 2, 4}, std::vector<float>{-1, -2, -4}}) {
    const std::vector<Array> inputs{Array({3}, at), Array({3}, std::vector<float>{1, 2, 3})};
    for (const std::vector<Array>& made : {compile(along).run(inputs), evaluate_reference(along, inputs)})
      CHECK(made[0].item<float>() == Approx(made[1].item<float>()));
  }
  CHECK_THROWS_WITH(cond(
                        x > 0, [](const auto& a) { return a; }, [](const auto& a) { return a; }, {x}),
                    Contains("not a bool scalar"));
  CHECK_THROWS_WITH(cond(
                        condition, [](const auto& a) { return a; },
                        [](const auto& a) { return std::vector<Tensor>{sum(a[0])}; }, {x}),
                    Contains("different number, shape or type"));
}

TEST_CASE("branches give values of all types, and one that keeps its operands computes nothing") {
  const Tensor due = make_input("due", {DType::boolean, {}}), x = make_input("x", real({2})),
               n = make_input("n", {DType::int32, {2}}), key = make_input("key", {DType::uint32, {2}});
  int runs = 0;
  const auto counting = std::make_shared<Counting>(runs);
  const auto update = [&](const std::vector<Tensor>& a) {
    return std::vector<Tensor>{apply(counting, {a[0]}), a[1] + full({2}, 1, DType::int32), a[2], a[1] < a[1] + a[1]};
  };
  const auto keep = [](const std::vector<Tensor>& a) { return std::vector(a.begin(), a.begin() + 4); };
  const Tensor flag = make_input("flag", {DType::boolean, {2}});
  const Program program = make_program("keep", {due, x, n, key, flag}, cond(due, update, keep, {x, n, key, flag}));
  // Bits that a conversion of numbers would change: of a signalling NaN, and more than a float has.
  const std::int32_t odd = -5'000'001, large = 0x7f800001;
  const std::uint32_t bits = 0x7fa00001, all = ~0U;
  const auto truths = [](Shape shape, const std::vector<std::uint32_t>& values) {
    Array array(Type{DType::boolean, std::move(shape)});
    std::memcpy(array.mutable_data(), values.data(), 4 * values.size());
    return array;
  };
  for (const int is_due : {1, 0}) {
    const std::vector<Array> inputs{truths({}, {static_cast<std::uint32_t>(is_due)}),
                                    Array({2}, std::vector<float>{3, NAN}),
                                    Array({2}, std::vector<std::int32_t>{odd, large}),
                                    Array({2}, std::vector<std::uint32_t>{bits, all}), truths({2}, {1, 0})};
    for (const std::vector<Array>& made : {compile(program).run(inputs), evaluate_reference(program, inputs),
                                           evaluate_reference(program, inputs, Precision::float64)}) {
      CHECK(made[0].values<float>()[0] == (is_due ? 6 : 3));
      CHECK(made[1].values<std::int32_t>()[0] == odd + is_due);
      CHECK(made[1].values<std::int32_t>()[1] == large + is_due);
      CHECK(made[2].values<std::uint32_t>()[0] == bits);
      CHECK(made[2].values<std::uint32_t>()[1] == all);
      CHECK(static_cast<const std::uint32_t*>(made[3].data())[0] == (is_due ? 0 : 1));
    }
    CHECK(runs == 3);  // by each executor, when it was due
  }
}

TEST_CASE("a scan that does not fit is refused with a sentence") {
  const Tensor x = make_input("x", real({5, 3})), h = make_input("h", real({3}));
  const auto same = [](const std::vector<Tensor>& carry, const std::vector<Tensor>& at) {
    return ScanStep{{carry[0] + at[0]}, {}};
  };
  CHECK_THROWS_WITH(scan(same, {h}, {x, make_input("y", real({4, 3}))}), "scan: sequences of 5 and 4 steps");
  CHECK_THROWS_WITH(scan(same, {make_input("h", {DType::int32, {3}})}, {x}), "scan: carries are float32, not int32[3]");
  CHECK_THROWS_WITH(scan(same, {make_input("h", real({}))}, {x}),
                    "scan: carry 0 is float32[] before a step and float32[3] after it");
  CHECK_THROWS_WITH(scan(same, {h}, {}), "scan: there is no step to take");
}
