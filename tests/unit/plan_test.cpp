// Plans: random programs give what the reference executor gives, and what should be fused is.
#include "kernels/simd.h"
#include "plan/kernel_buffers.h"
#include "trace/primitives/by_name.h"
#include "unit/random_programs.h"

#include "catch.h"

#include <set>
#include <thread>

using namespace lopt;
using namespace lopt::test;

namespace {

/// The inputs with each real number changed in its last bits.
std::vector<Array> nudged(std::vector<Array> values) {
  std::mt19937 random(1);
  for (Array& array : values)
    if (array.dtype() == DType::float32)
      for (float& x : array.mutable_values<float>()) x *= random() % 2 ? 1 + 5e-7F : 1 - 5e-7F;
  return values;
}

/// The program with each value of a function that kernels approximate multiplied by `factor`.
Program with_rough_functions(const Program& program, float factor) {
  static const std::set<std::string_view> functions{"exp", "log",     "log1p", "tanh",  "sigmoid", "erf",
                                                    "sin", "erf_inv", "cos",   "power", "rsqrt",   "sqrt"};
  Program rough;
  rough.name = program.name;
  std::vector<ValueId> now;  // of each value, where it is
  for (Operation op : program.operations) {
    for (ValueId& input : op.inputs) input = now[input];
    rough.operations.push_back(op);
    now.push_back(static_cast<ValueId>(rough.operations.size() - 1));
    if (!functions.contains(op.primitive->name)) continue;
    Array factors(op.type);
    for (float& x : factors.mutable_values<float>()) x = factor;
    rough.operations.push_back({&constant_primitive, {}, Constant{factors}, op.type});
    rough.operations.push_back({primitive_named("multiply"), {now.back(), now.back() + 1}, {}, op.type});
    now.back() += 2;
  }
  for (const ValueId input : program.inputs) rough.inputs.push_back(now[input]);
  for (const ValueId output : program.outputs) rough.outputs.push_back(now[output]);
  return rough;
}

/// How far the planned executor is off, as a multiple of what is allowed. The yardstick is the reference in float64;
/// what is allowed is what float32 costs the reference executor, and what the last bits of the inputs change: both show
/// how ill-conditioned the program is. Where that does not do, it is also what functions change that are off by four
/// units in the last place, all of them upwards or downwards, as kernels may be and the reference's are not: 1 − tanh²
/// where tanh is nearly 1.
double excess_error(const RandomProgram& random) {
  constexpr float four_units = 4.8e-7F;
  const Program& program = random.program();
  const std::vector<Array> planned = compile(program).run(random.values());
  const std::vector<Array> single = evaluate_reference(program, random.values());
  const std::vector<Array> exact = evaluate_reference(program, random.values(), Precision::float64);
  std::vector<double> allowed(planned.size(), 1e-5);
  const auto add = [&](const std::vector<Array>& moved, double times) {
    for (std::size_t i = 0; i < moved.size(); ++i) allowed[i] += times * difference(moved[i], exact[i]);
  };
  const auto excess = [&] {
    double worst = 0;
    for (std::size_t i = 0; i < planned.size(); ++i)
      worst = std::max(worst, difference(planned[i], exact[i]) / allowed[i]);
    return worst;
  };
  add(single, 20);
  add(evaluate_reference(program, nudged(random.values()), Precision::float64), 20);
  if (excess() <= 1) return excess();
  for (const float factor : {1 - four_units, 1 + four_units})
    add(evaluate_reference(with_rough_functions(program, factor), random.values(), Precision::float64), 1);
  return excess();
}

/// Runs random programs; a failing one is made smaller, and printed.
void check_random_programs(std::uint32_t first, int count) {
  for (int i = 0; i < count; ++i) {
    const std::uint32_t seed = first + static_cast<std::uint32_t>(i);
    int length = 5 + static_cast<int>(seed % 20);
    const double error = excess_error(RandomProgram(seed, length));
    CHECK(!std::isnan(error));
    if (error <= 1) continue;
    while (length > 1 && !(excess_error(RandomProgram(seed, length - 1)) <= 1)) --length;
    const RandomProgram smallest(seed, length);
    FAIL("LOPT_TEST_SEED=" << seed << ", made smaller to " << length << " steps, error " << excess_error(smallest)
                           << " times what is allowed:\n"
                           << to_text(smallest.program()));
  }
}

}  // namespace

TEST_CASE("random programs agree between the planned and the reference executor, at every SIMD level") {
  const std::uint32_t first = new_seed();
  const int count = program_count();
  WARN("seed " << first << ", " << count << " programs a level (LOPT_TEST_SEED, LOPT_TEST_PROGRAMS choose others)");
  for (const std::string& level : kernels::simd_levels()) {
    INFO(level);
    REQUIRE(kernels::select_simd(level));
    CHECK(kernels::simd_level() == level);
    check_random_programs(first, count);
  }
  REQUIRE(kernels::select_simd(kernels::simd_levels().front()));
}

TEST_CASE("regions that are merged late wait for nothing that waits for them") {
  // A sum over columns joined two regions, one of which needed the other by way of a product and a third.
  constexpr std::uint32_t seed = 1138621392;
  CHECK(excess_error(RandomProgram(seed, 5 + static_cast<int>(seed % 20))) <= 1);
}

TEST_CASE("what goes past the caches is what was computed, wherever it lies, and nothing behind it is written to") {
  constexpr std::int64_t count = (std::int64_t{1} << 20U) + 7;
  const Tensor a = make_input("a", {DType::float32, {count}}), b = make_input("b", {DType::float32, {count}});
  const Tensor sum = a + b;
  const Program program = make_program("long", {a, b}, {sum, sum * a});
  const std::vector<Array> inputs{normal(HostKey::from_seed(1), {count}), normal(HostKey::from_seed(2), {count})};
  const auto x = inputs[0].values<float>(), y = inputs[1].values<float>();
  for (const std::string& level : kernels::simd_levels()) {
    INFO(level);
    REQUIRE(kernels::select_simd(level));
    for (const bool room : {true, false})
      for (const std::size_t offset : {std::size_t{0}, std::size_t{1}}) {
        constexpr std::size_t behind = 16;
        const Executable executable = compile(program, {.outputs_with_room = {room, room}});
        std::vector<std::vector<float>> to(2, std::vector<float>(count + offset + behind + 16, -1));
        const std::vector<const void*> from{x.data(), y.data()};
        const std::vector<void*> out{to[0].data() + offset, to[1].data() + offset};
        Arena arena;
        executable.run(from, out, arena);
        bool same = true;
        for (std::size_t i = 0; i < x.size(); ++i)
          same = same && to[0][i + offset] == x[i] + y[i] && to[1][i + offset] == (x[i] + y[i]) * x[i];
        CHECK(same);
        for (const std::vector<float>& result : to) {
          const std::size_t end = offset + x.size() + (room ? behind : 0);
          CHECK(std::all_of(result.begin() + static_cast<std::ptrdiff_t>(end), result.end(),
                            [](float value) { return value == -1; }));
        }
      }
  }
  REQUIRE(kernels::select_simd(kernels::simd_levels().front()));
}

TEST_CASE("rows of many columns stay as they lie where no layer works on as many rows") {
  const Tensor x = make_input("x", {DType::float32, {512, 64}});
  const auto mean_of_rows = [](const Tensor& a) { return expand_dims(mean(a, {-1}), -1); };
  const Tensor centred = x - mean_of_rows(x);
  const Plan plan = make_plan(make_program("normalized", {x}, {centred * rsqrt(mean_of_rows(square(centred)) + 1e-5)}));
  for (const Kernel& kernel : plan.kernels)
    if (const auto* region = std::get_if<Region>(&kernel)) {
      CHECK((region->rows == 512 * 64 || region->rows == 512));
      for (const TileInstruction& instruction : region->instructions) CHECK(instruction.columns == 1);
    }
}

TEST_CASE("large tensors that share nothing but a number run one after the other, small ones together") {
  const auto regions_of = [](const Shape& shape) {
    const Tensor rate = make_input("rate", {DType::float32, {}}), scale = exp(rate);
    std::vector<Tensor> inputs{rate}, outputs;
    for (int i = 0; i < 3; ++i) {
      inputs.push_back(make_input("x", {DType::float32, shape}));
      outputs.push_back(tanh(inputs.back()) * scale + scale);
    }
    std::set<std::size_t> reads;  // tensors that a region reads
    const Executable executable = compile(make_program("p", inputs, outputs));
    for (const Kernel& kernel : executable.plan().kernels)
      if (const auto* region = std::get_if<Region>(&kernel); region && region->rows > 1) {
        std::set<BufferId> read;
        for (const BufferId buffer : buffers_of(*region))
          if (executable.plan().buffers[buffer].place == Buffer::Place::input &&
              executable.plan().buffers[buffer].size > 1)
            read.insert(buffer);
        reads.insert(read.size());
      }
    return reads;
  };
  CHECK(regions_of({300, 200}) == std::set<std::size_t>{1});
  CHECK(regions_of({30, 20}) == std::set<std::size_t>{3});
}

TEST_CASE("a relu's derivative is taken where the product before it ends") {
  // Rows and columns that fill no block, and sums of several parts.
  const std::int64_t m = 37, k = 1100, n = 45;
  const Tensor dy = make_input("dy", {DType::float32, {m, k}}), w = make_input("w", {DType::float32, {n, k}}),
               hidden = make_input("hidden", {DType::float32, {m, n}});
  const Program program = make_program("backward", {dy, w, hidden}, {where_positive(hidden, matmul(dy, transpose(w)))});
  std::mt19937 random(3);
  std::vector<Array> inputs;
  for (const Tensor& x : {dy, w, hidden}) inputs.push_back(random_array(random, x.type(), -1, 1));
  for (const std::string& level : kernels::simd_levels()) {
    INFO(level);
    REQUIRE(kernels::select_simd(level));
    const Executable planned = compile(program);
    REQUIRE(planned.plan().kernels.size() == 1);
    CHECK(std::get<Gemm>(planned.plan().kernels[0]).gate);
    CHECK(difference(planned.run(inputs)[0], evaluate_reference(program, inputs, Precision::float64)[0]) < 1e-4);
  }
  REQUIRE(kernels::select_simd(kernels::simd_levels().front()));
}

TEST_CASE("a network on rows becomes one region with the hidden layer in registers") {
  auto real = [](Shape shape) { return make_input("x", {DType::float32, std::move(shape)}); };
  const Tensor p = real({64, 128}), g = real({64, 128}), w0 = real({2, 64}), b0 = real({64}), w1 = real({64, 2}),
               b1 = real({2});
  const Tensor out = matmul(relu(matmul(stack({p, g}, -1), w0) + b0), w1) + b1;
  const Plan plan =
      make_plan(make_program("update", {p, g, w0, b0, w1, b1}, {p - take(out, 0, -1) * exp(take(out, 1, -1))}));
  REQUIRE(plan.kernels.size() == 1);
  const Region& region = std::get<Region>(plan.kernels[0]);
  CHECK(region.rows == 8192);
  int chains = 0;
  for (const TileInstruction& instruction : region.instructions)
    chains += instruction.kind == TileInstruction::Kind::chain;
  CHECK(chains == 1);
  CHECK(plan.arena_bytes == 0);
}

TEST_CASE("layers of a rule run in blocks of rows, their features where they lie, and results go straight to memory") {
  using Kind = TileInstruction::Kind;
  auto real = [](Shape shape) { return make_input("x", {DType::float32, std::move(shape)}); };
  const Tensor p = real({64, 128}), g = real({64, 128}), m = real({64, 128}), v = real({64, 128}), w0 = real({4, 32}),
               w1 = real({32, 32}), w2 = real({32, 2});
  const Tensor next = 0.9 * m + 0.1 * g, x = stack({p, g, next, next * rsqrt(v + 1e-8)}, -1);
  const Tensor out = matmul(relu(matmul(relu(matmul(x, w0)), w1)), w2);
  const Plan plan = make_plan(make_program("update", {p, g, m, v, w0, w1, w2}, {p - take(out, 0, -1), next}));
  REQUIRE(plan.kernels.size() == 1);
  const Region& region = std::get<Region>(plan.kernels[0]);
  CHECK(region.block_rows % 48 == 0);
  CHECK(region.block_columns == 64);
  CHECK(region.tile_rows > region.block_rows);
  int layers = 0;
  for (std::size_t k = 0; k < region.instructions.size(); ++k) {
    const TileInstruction& i = region.instructions[k];
    CHECK(region.in_blocks(k) == (i.kind == Kind::dense));
    CHECK(i.kind != Kind::copy);
    CHECK(i.kind != Kind::store);
    layers += i.kind == Kind::dense;
  }
  CHECK(layers == 3);
}

TEST_CASE("one region hands another the few columns that a wide layer is made of") {
  auto real = [](Shape shape) { return make_input("x", {DType::float32, std::move(shape)}); };
  const Tensor p = real({64, 128}), g = real({64, 128}), w = real({3, 16}), b = real({16}), u = real({16, 1});
  // The second layer's bias needs a sum over all rows first, so the first layer's result would have to wait in memory.
  const Tensor feature = g * rsqrt(square(p) + 1e-3), x = stack({p, g, feature}, -1);
  const Tensor hidden = relu(matmul(x, w) + b * mean(square(feature)));
  const Plan plan = make_plan(make_program("update", {p, g, w, b, u}, {p - take(matmul(hidden, u), 0, -1)}));
  std::size_t most = 0;
  for (const Buffer& buffer : plan.buffers)
    if (buffer.place == Buffer::Place::arena) most = std::max(most, buffer.size);
  CHECK(most == 64 * 128);
}

TEST_CASE("elementwise work keeps nothing in memory that the next instruction alone reads") {
  const Tensor x = make_input("x", {DType::float32, {100, 64}}), y = make_input("y", {DType::float32, {100, 64}});
  const Plan plan = make_plan(make_program("p", {x, y}, {exp(0.5 * x + 1) * tanh(y) - y}));
  REQUIRE(plan.kernels.size() == 1);
  const Region& region = std::get<Region>(plan.kernels[0]);
  std::size_t kept = 0;
  for (std::size_t k = 0; k < region.instructions.size(); ++k) {
    CHECK(region.instructions[k].goes_on == (k > 0));
    kept += writes_group(region.instructions[k]);
  }
  CHECK(kept == 1);  // exp's or tanh's result, until the other is made
  CHECK(region.tile_columns == 1);
}

TEST_CASE("rows of several columns that read single ones of their own columns come out right at every level") {
  const Tensor x = make_input("x", {DType::float32, {1100, 16}}), b = make_input("b", {DType::float32, {16}});
  const Tensor y = tanh(x + b), third = slice(y, {0, 3}, {1100, 4});
  const Tensor z = exp(y * 0.3) * third + relu(y - third), w = z * expand_dims(sum(z, {1}), 1);
  const Program program = make_program("p", {x, b}, {w, z + slice(z, {0, 15}, {1100, 16}), maximum(y, b)});
  std::mt19937 random(9);
  const std::vector<Array> values{random_array(random, x.type()), random_array(random, b.type())};
  const std::vector<Array> reference = evaluate_reference(program, values);
  for (const std::string& level : kernels::simd_levels()) {
    INFO(level);
    REQUIRE(kernels::select_simd(level));
    const std::vector<Array> planned = compile(program).run(values);
    for (std::size_t i = 0; i < planned.size(); ++i) CHECK(difference(planned[i], reference[i]) < 1e-5);
  }
  REQUIRE(kernels::select_simd(kernels::simd_levels().front()));
}

TEST_CASE("a wide layer on many rows runs in a region") {
  auto real = [](Shape shape) { return make_input("x", {DType::float32, std::move(shape)}); };
  const Tensor x = real({16384, 3}), w0 = real({3, 256}), w1 = real({256, 256}), w2 = real({256, 2});
  const Tensor y = matmul(relu(matmul(relu(matmul(x, w0)), w1)), w2);
  CHECK(make_plan(make_program("p", {x, w0, w1, w2}, {y})).kernels.size() == 1);
}

TEST_CASE("planning grows about linearly with the program") {
  auto kernels_of = [](int layers) {
    Tensor x = make_input("x", {DType::float32, {64, 64}}), y = x;
    std::vector<Tensor> inputs{x};
    for (int i = 0; i < layers; ++i) {
      inputs.push_back(make_input("w", {DType::float32, {64, 64}}));
      y = tanh(matmul(y, inputs.back()));
    }
    return make_plan(make_program("deep", inputs, {y})).kernels.size();
  };
  CHECK(kernels_of(10) == 20);
  CHECK(kernels_of(100) == 200);
}

TEST_CASE("outputs may repeat, be inputs, or be views") {
  const Tensor x = make_input("x", {DType::float32, {3, 4}});
  const Tensor y = exp(x);
  const Program program = make_program("p", {x}, {y, y, x, transpose(y), reshape(y, {12}), broadcast_to(x, {2, 3, 4})});
  std::mt19937 random(5);
  const std::vector<Array> values{random_array(random, x.type())};
  const std::vector<Array> planned = compile(program).run(values), reference = evaluate_reference(program, values);
  for (std::size_t i = 0; i < planned.size(); ++i) CHECK(difference(planned[i], reference[i]) < 1e-6);
}

TEST_CASE("empty tensors go through") {
  const Tensor x = make_input("x", {DType::float32, {0, 4}}), w = make_input("w", {DType::float32, {4, 3}});
  const Program program = make_program("p", {x, w}, {sum(matmul(x, w), {0}), exp(x), sum(x)});
  const std::vector<Array> values{Array(DType::float32, {0, 4}), Array(DType::float32, {4, 3})};
  const std::vector<Array> planned = compile(program).run(values), reference = evaluate_reference(program, values);
  for (std::size_t i = 0; i < planned.size(); ++i) CHECK(planned[i] == reference[i]);
}

TEST_CASE("a plan refuses arrays of other types") {
  const Tensor x = make_input("x", {DType::float32, {4}});
  const Executable executable = compile(make_program("p", {x}, {exp(x)}));
  CHECK_THROWS_AS(executable.run(std::vector<Array>{}), std::invalid_argument);
  CHECK_THROWS_AS(executable.run(std::vector<Array>{Array(DType::float32, {5})}), std::invalid_argument);
}

TEST_CASE("blocks of rows in parallel give the bits that they give one after the other") {
  auto real = [](Shape shape) { return make_input("x", {DType::float32, std::move(shape)}); };
  for (std::int64_t rows : {40, 5000, 20011}) {
    const std::vector<Tensor> in{real({rows, 3}), real({3, 40}), real({40}), real({40, 2}), real({rows, 2})};
    const Tensor out = matmul(relu(matmul(in[0], in[1]) + in[2]), in[3]);
    std::vector<Tensor> outputs = gradient(mean(square(out - in[4])), in);
    outputs.push_back(matmul(transpose(matmul(in[0], in[1])), tanh(matmul(in[0], in[1]))));
    const Executable executable = compile(make_program("p", in, outputs));
    std::mt19937 random(static_cast<unsigned>(rows));
    std::vector<Array> values;
    std::vector<const void*> inputs;
    for (const Tensor& x : in) values.push_back(random_array(random, x.type()));
    for (const Array& value : values) inputs.push_back(value.data());
    const std::vector<Array> serial = executable.run(values);
    std::vector<Array> parallel;
    std::vector<void*> pointers;
    for (const Array& array : serial) parallel.emplace_back(array.type());
    for (Array& array : parallel) pointers.push_back(array.mutable_data());
    Arena arena;
    BlockTeam team(2);
    std::thread helper([&] { team.help(); });
    executable.run(inputs, pointers, arena, &team);
    team.close();
    helper.join();
    CHECK(parallel == serial);
    for (std::size_t i = 0; i < serial.size(); ++i)
      CHECK(difference(serial[i], evaluate_reference(make_program("p", in, outputs), values)[i]) < 1e-4);
  }
}
