// Lanes that run side by side give the bits of each alone, wherever what they have lies.
#include "kernels/simd.h"
#include "plan/in_place.h"
#include "unit/random_programs.h"

#include "catch.h"

#include <cstring>
#include <set>

using namespace lopt;
using namespace lopt::test;

namespace {

/// What lanes make of their inputs where all of them lie one after the other, and results where inputs lie if they may.
std::vector<std::vector<Array>> results_beside(const Executable& program,
                                               const std::vector<std::vector<Array>>& inputs) {
  const std::size_t count = inputs.size();
  const std::vector<Type>& outputs = program.plan().output_types;
  const InPlace in_place(program.plan());
  std::vector<std::vector<float>> memory;
  std::vector<ProgramRun> runs(count);
  const auto lay = [&](std::size_t size) {
    memory.emplace_back(size * count + 32, -1.0F);
    return memory.back().data();
  };
  for (std::size_t i = 0; i < inputs[0].size(); ++i) {
    const std::size_t size = inputs[0][i].size();
    float* const place = lay(size);
    for (std::size_t lane = 0; lane < count; ++lane) {
      std::memcpy(place + lane * size, inputs[lane][i].data(), 4 * size);
      runs[lane].inputs.push_back(place + lane * size);
    }
  }
  std::set<std::size_t> taken;
  for (std::size_t k = 0; k < outputs.size(); ++k) {
    const auto size = static_cast<std::size_t>(element_count(outputs[k].shape));
    std::size_t input = 0;
    while (input < inputs[0].size() &&
           (taken.contains(input) || inputs[0][input].size() != size || !in_place.allows(k, input)))
      ++input;
    float* const place = input < inputs[0].size() ? memory[input].data() : lay(size);
    taken.insert(input);
    for (std::size_t lane = 0; lane < count; ++lane) runs[lane].outputs.push_back(place + lane * size);
  }
  std::vector<ProgramRun*> lanes;
  for (ProgramRun& run : runs) lanes.push_back(&run);
  program.run_together(lanes);
  std::vector<std::vector<Array>> results(count);
  for (std::size_t lane = 0; lane < count; ++lane)
    for (std::size_t k = 0; k < outputs.size(); ++k) {
      results[lane].emplace_back(outputs[k]);
      std::memcpy(results[lane][k].mutable_data(), runs[lane].outputs[k], 4 * results[lane][k].size());
    }
  return results;
}

}  // namespace

TEST_CASE("programs of several lanes run side by side give the bits of each alone") {
  const std::uint32_t first = new_seed();
  WARN("seed " << first << " (LOPT_TEST_SEED chooses another)");
  for (const std::string& level : kernels::simd_levels()) {
    INFO(level);
    REQUIRE(kernels::select_simd(level));
    for (std::uint32_t seed = first; seed < first + static_cast<std::uint32_t>(program_count()) / 4; ++seed) {
      INFO("seed " << seed);
      const RandomProgram random(seed, 5 + static_cast<int>(seed % 12));
      const Executable program = compile(random.program());
      const std::size_t count = 1 + seed % most_lanes_together;
      std::mt19937 numbers(seed);
      std::vector<std::vector<Array>> inputs(count), results(count), alone(count);
      std::vector<ProgramRun> runs(count);
      std::vector<ProgramRun*> lanes;
      for (std::size_t lane = 0; lane < count; ++lane) {
        for (const Array& value : random.values())
          inputs[lane].push_back(random_array(numbers, value.type(), -1.5, 1.5));
        alone[lane] = program.run(inputs[lane]);
        for (const Array& input : inputs[lane]) runs[lane].inputs.push_back(input.data());
        for (const Type& type : program.plan().output_types) results[lane].emplace_back(type);
        for (Array& result : results[lane]) runs[lane].outputs.push_back(result.mutable_data());
        lanes.push_back(&runs[lane]);
      }
      for (int again = 0; again < 2; ++again) program.run_together(lanes);
      CHECK(results == alone);
      if (program.all_side_by_side()) CHECK(results_beside(program, inputs) == alone);
    }
  }
  REQUIRE(kernels::select_simd(kernels::simd_levels().front()));
}

TEST_CASE("a sum over what a region of several lanes writes over is that of what was there") {
  constexpr std::int64_t rows = 10;
  const Tensor p = make_input("p", {DType::float32, {rows}});
  const Executable program = compile(make_program("sum, and a step", {p}, {sum(p), p * 0.5F}));
  REQUIRE(program.all_side_by_side());
  REQUIRE(InPlace(program.plan()).allows(1, 0));
  std::vector<std::vector<Array>> inputs, alone;
  for (std::uint32_t lane = 0; lane < 5; ++lane) {
    inputs.push_back({normal(HostKey::from_seed(lane), {rows})});
    alone.push_back(program.run(inputs.back()));
  }
  CHECK(results_beside(program, inputs) == alone);
}
