// Loops over time: against the same steps written out, in both executors, with first and second derivatives.
#include "gradient/gradient.h"
#include "unit/support.h"

#include <lopt/networks.h>
#include <lopt/scan.h>

#include "catch.h"

#include <chrono>

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
