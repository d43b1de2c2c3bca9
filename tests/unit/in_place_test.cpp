// Results that lie where an input lay.
#include "kernels/simd.h"
#include "plan/in_place.h"
#include "unit/random_programs.h"

#include "catch.h"

#include <cstring>

using namespace lopt;
using namespace lopt::test;

namespace {

/// Runs a program with as many outputs as may be where inputs lie; returns what comes out, and counts those.
std::vector<Array> run_in_place(const Executable& program, std::vector<Array> inputs, int& count) {
  const InPlace in_place(program.plan());
  std::vector<Array> results;
  std::vector<bool> is_taken(inputs.size());
  std::vector<std::optional<std::size_t>> place;
  for (std::size_t i = 0; i < program.plan().output_types.size(); ++i) {
    results.emplace_back(program.plan().output_types[i]);
    place.emplace_back();
    for (std::size_t k = inputs.size(); k-- > 0;)
      if (!is_taken[k] && in_place.allows(i, k)) place.back() = k;
    if (place.back()) is_taken[*place.back()] = true;
    count += place.back().has_value();
  }
  std::vector<const void*> from;
  for (Array& input : inputs) from.push_back(input.mutable_data());
  std::vector<void*> to;
  for (std::size_t i = 0; i < results.size(); ++i)
    to.push_back(place[i] ? inputs[*place[i]].mutable_data() : results[i].mutable_data());
  Arena arena;
  program.run(from, to, arena);
  for (std::size_t i = 0; i < results.size(); ++i)
    if (place[i]) std::memcpy(results[i].mutable_data(), to[i], 4 * results[i].size());
  return results;
}

}  // namespace

TEST_CASE("random programs give the same bits in place, where that is allowed") {
  const std::uint32_t first = new_seed();
  WARN("seed " << first << " (LOPT_TEST_SEED chooses another)");
  int count = 0;
  for (const std::string& level : kernels::simd_levels()) {
    INFO(level);
    REQUIRE(kernels::select_simd(level));
    for (std::uint32_t seed = first; seed < first + static_cast<std::uint32_t>(program_count()) / 4; ++seed) {
      INFO("seed " << seed);
      const RandomProgram random(seed, 3 + static_cast<int>(seed % 14));
      const Executable program = compile(random.program(), all_outputs_have_room(random.program()));
      CHECK(run_in_place(program, random.values(), count) == program.run(random.values()));
    }
  }
  CHECK(count > 0);
  REQUIRE(kernels::select_simd(kernels::simd_levels().front()));
}

TEST_CASE("an update of many parameters is made where they lie, at every SIMD level") {
  constexpr std::int64_t n = (std::int64_t{1} << 20U) + 7;  // so many that results go past the caches elsewhere
  const Tensor p = make_input("p", {DType::float32, {n}}), m = make_input("m", {DType::float32, {n}}),
               g = make_input("g", {DType::float32, {n}});
  const Tensor next = 0.9 * m + g;
  const Executable program = compile(make_program("update", {p, m, g}, {p - 0.1 * next, next}));
  CHECK(InPlace(program.plan()).allows(0, 0));
  CHECK(InPlace(program.plan()).allows(1, 1));
  const std::vector<Array> inputs{normal(HostKey::from_seed(1), {n}), normal(HostKey::from_seed(2), {n}),
                                  normal(HostKey::from_seed(3), {n})};
  for (const std::string& level : kernels::simd_levels()) {
    INFO(level);
    REQUIRE(kernels::select_simd(level));
    int count = 0;
    CHECK(run_in_place(program, inputs, count) == program.run(inputs));
    CHECK(count == 2);
  }
  REQUIRE(kernels::select_simd(kernels::simd_levels().front()));
}

TEST_CASE("what is read after a result is written keeps its place") {
  const Tensor x = make_input("x", {DType::float32, {16, 16}}), y = make_input("y", {DType::float32, {16, 16}});
  const auto allowed = [&](const std::vector<Tensor>& outputs) {
    return InPlace(make_plan(make_program("test", {x, y}, outputs))).allows(0, 0);
  };
  CHECK(allowed({x * 2}));
  CHECK(allowed({x}));
  CHECK(allowed({matmul(y, y)}));
  CHECK(allowed({2 * matmul(matmul(x, y), y) * y}));
  CHECK_FALSE(allowed({matmul(x, y)}));
  CHECK_FALSE(allowed({matmul(y, y), matmul(x, y)}));
  CHECK_FALSE(allowed({transpose(x) + y}));
  CHECK_FALSE(allowed({sum(x, {0})}));  // of another size
}
