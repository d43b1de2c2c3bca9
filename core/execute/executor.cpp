#include "execute/executor.h"

#include "execute/reference.h"
#include "execute/single.h"
#include "execute/tile.h"
#include "kernels/kernels.h"
#include "plan/cost.h"
#include "trace/large_memory.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <limits>
#include <utility>

namespace lopt {
namespace {

void grow(std::shared_ptr<std::byte>& memory, std::size_t& have, std::size_t want) {
  if (want <= have) return;
  memory.reset();
  memory = allocate_for_vectors(want);
  std::memset(memory.get(), 0, want + 64);
  have = want;
}

}  // namespace

std::byte* Arena::values_of_lanes(std::size_t bytes) {
  grow(lane_values_, lane_value_bytes_, bytes);
  return lane_values_.get();
}

std::byte* Arena::staging(std::size_t bytes) {
  grow(staging_, staging_bytes_, bytes);
  return staging_.get();
}

void Arena::reserve(const Plan& plan, bool parallel) {
  grow(values_, value_bytes_, plan.arena_bytes);
  grow(scratch_, scratch_bytes_, plan.scratch_bytes * (parallel ? max_chunks : 1) + plan.partial_bytes);
  if (pointers_.size() < plan.buffers.size()) pointers_.resize(plan.buffers.size());
}

Executable::Executable(Plan plan) : constants_(plan.constants) {
  auto bound = std::make_shared<Bound>();
  bound->plan = std::move(plan);
  for (BufferId i = 0; i < bound->plan.buffers.size(); ++i) {
    const Buffer& buffer = bound->plan.buffers[i];
    if (buffer.place == Buffer::Place::arena) continue;
    auto& list = buffer.place == Buffer::Place::input    ? bound->inputs
                 : buffer.place == Buffer::Place::output ? bound->outputs
                                                         : bound->constants;
    list.emplace_back(i, buffer.index);
  }
  for (const Kernel& kernel : bound->plan.kernels) {
    const auto* region = std::get_if<Region>(&kernel);
    bound->regions.push_back(region ? bind_region(*region, bound->plan) : BoundRegion());
    const auto* scan = std::get_if<Scan>(&kernel);
    bound->bodies.push_back(scan ? std::make_shared<const Executable>(*scan->body) : nullptr);
    bound->together.push_back(region ? side_by_side(*region) : std::nullopt);
    if (const auto& together = bound->together.back())
      bound->staging_bytes = std::max(bound->staging_bytes, together->bytes());
  }
  bound->lanes_together = lanes_worth_together(*bound);
  bound->all_side_by_side = std::all_of(bound->together.begin(), bound->together.end(),
                                        [](const auto& region) { return region.has_value(); });
  bound_ = std::move(bound);
}

Executable Executable::with_constants(std::vector<Array> constants) const {
  Executable result = *this;
  result.constants_ = std::move(constants);
  return result;
}

void Executable::bind(std::span<const void* const> inputs, std::span<void* const> outputs, Arena& arena,
                      BlockTeam* team, bool beside) const {
  const bool is_new = arena.begin(bound_, plan(), team != nullptr, beside);
  std::vector<void*>& pointers = arena.pointers();
  for (const auto& [buffer, index] : bound_->inputs) pointers[buffer] = const_cast<void*>(inputs[index]);
  for (const auto& [buffer, index] : bound_->outputs) pointers[buffer] = outputs[index];
  for (const auto& [buffer, index] : bound_->constants) pointers[buffer] = const_cast<void*>(constants_[index].data());
  if (is_new)
    for (std::size_t i = 0; i < plan().buffers.size(); ++i)
      if (plan().buffers[i].place == Buffer::Place::arena) pointers[i] = arena.values() + plan().buffers[i].offset;
}

void Executable::run_kernel(std::size_t k, Arena& arena, BlockTeam* team) const {
  const std::vector<void*>& pointers = arena.pointers();
  auto words = [&](BufferId buffer) { return static_cast<std::uint32_t*>(pointers[buffer]); };
  std::visit(
      [&]<class K>(const K& kernel) {
        if constexpr (std::is_same_v<K, Region>)
          run_region(kernel, bound_->regions[k], plan(), arena, arena.tiles(k), team);
        else if constexpr (std::is_same_v<K, Gemm>)
          run_gemm(kernel, pointers, team);
        else if constexpr (std::is_same_v<K, Reduction>)
          run_reduction(kernel, pointers[kernel.from], pointers[kernel.to]);
        else if constexpr (std::is_same_v<K, Copies>)
          for (const Copies::Copy& copy : kernel.list)
            run_copy(copy, words(copy.from.buffer), words(copy.to.buffer), team);
        else if constexpr (std::is_same_v<K, Fill>)
          std::memset(pointers[kernel.to], 0, plan().buffers[kernel.to].size * 4);
        else if constexpr (std::is_same_v<K, RandomBits>) {
          const std::uint32_t* key = words(kernel.key.buffer) + kernel.key.offset;
          kernels::random_bits(key[0], key[kernel.key.strides[0]], words(kernel.to), plan().buffers[kernel.to].size);
        } else if constexpr (std::is_same_v<K, Scan>) {
          run_scan(k, arena, team);
        } else {
          std::vector<const void*> arguments;
          for (BufferId input : kernel.inputs) arguments.push_back(pointers[input]);
          const Operation& operation = kernel.operation;
          if (operation.primitive->direct)
            operation.primitive->direct(
                {arguments, kernel.types, operation.attributes, operation.type, pointers[kernel.to]});
          else
            evaluate_operation(kernel.operation, kernel.types, arguments, pointers[kernel.to]);
        }
      },
      plan().kernels[k]);
}

void Executable::run_scan(std::size_t k, Arena& arena, BlockTeam* team) const {
  const Scan& scan = std::get<Scan>(plan().kernels[k]);
  const std::vector<void*>& pointers = arena.pointers();
  auto* const to = static_cast<float*>(pointers[scan.to]);
  const std::size_t inputs_count = scan.inputs.size() - (scan.counted ? 1 : 0), outputs_count = scan.starts.size(),
                    firsts_of_sums = scan.carries + scan.stacked;
  auto state = [&](std::size_t i, std::int64_t t) { return to + scan.starts[i] + t * scan.sizes[i]; };
  std::vector<const void*> inputs(inputs_count);
  std::vector<void*> outputs(outputs_count);
  for (std::size_t i = 0; i < inputs_count; ++i) {
    inputs[i] = static_cast<const float*>(pointers[scan.inputs[i].buffer]) + scan.inputs[i].offset;
    if (i < scan.carries)
      std::memcpy(state(i, scan.reverse ? scan.length : 0), inputs[i], static_cast<std::size_t>(scan.sizes[i]) * 4);
  }
  const std::vector<const void*> whole = inputs;
  std::int64_t count = scan.length;
  if (scan.counted) {
    const View& last = scan.inputs.back();
    count = static_cast<const std::int32_t*>(pointers[last.buffer])[last.offset];
    for (std::size_t i = scan.carries; count < scan.length && i < outputs_count; ++i)
      std::fill_n(to + scan.starts[i], scan.sizes[inputs_count + i] * (i < firsts_of_sums ? scan.length : 1), 0.0F);
  }
  bool is_first = true;
  for (std::int64_t step = 0; step < scan.length; ++step) {
    const std::int64_t t = scan.reverse ? scan.length - 1 - step : step;
    if (t >= count) {
      for (std::size_t i = 0; i < scan.carries; ++i)
        std::memcpy(state(i, scan.reverse ? t : t + 1), state(i, scan.reverse ? t + 1 : t),
                    static_cast<std::size_t>(scan.sizes[i]) * 4);
      continue;
    }
    for (std::size_t i = 0; i < scan.carries + scan.sequences; ++i)
      inputs[i] = i < scan.carries ? state(i, scan.reverse ? t + 1 : t)
                                   : static_cast<const float*>(whole[i]) + t * scan.sizes[i];
    auto* partial = static_cast<float*>(pointers[scan.partial]);
    for (std::size_t i = 0; i < outputs_count; ++i) {
      const std::int64_t size = scan.sizes[inputs_count + i];
      if (i < scan.carries)
        outputs[i] = state(i, scan.reverse ? t : t + 1);
      else if (i < firsts_of_sums)
        outputs[i] = to + scan.starts[i] + t * size;
      else if (is_first)
        outputs[i] = to + scan.starts[i];
      else
        outputs[i] = partial;
      if (i >= firsts_of_sums) partial += size;
    }
    bound_->bodies[k]->run(inputs, outputs, arena.inner(), team);
    if (std::exchange(is_first, false)) continue;
    for (std::size_t i = firsts_of_sums; i < outputs_count; ++i)
      kernels::sums().add(static_cast<const float*>(outputs[i]), to + scan.starts[i],
                          static_cast<std::size_t>(scan.sizes[inputs_count + i]));
  }
}

void Executable::run(std::span<const void* const> inputs, std::span<void* const> outputs, Arena& arena,
                     BlockTeam* team) const {
  bind(inputs, outputs, arena, team);
  for (std::size_t k = 0; k < plan().kernels.size(); ++k) run_kernel(k, arena, team);
}

std::size_t Executable::lanes_worth_together(const Bound& bound) {
  constexpr double kernel_ns = 100, step_ns = 5, flop_a_ns = 50, bytes_a_ns = 50, worth = 0.1, cache_bytes = 1U << 18U;
  double saved = 0, other = 0, bytes = 0;
  for (std::size_t k = 0; k < bound.plan.kernels.size(); ++k) {
    const Kernel& kernel = bound.plan.kernels[k];
    const Cost cost = cost_of(kernel, bound.plan);
    bytes += cost.bytes;
    if (const auto& together = bound.together[k])
      saved += kernel_ns + step_ns * static_cast<double>(together->region.instructions.size());
    else
      other += kernel_ns + cost.flop / flop_a_ns + cost.bytes / bytes_a_ns;
  }
  if (saved < worth * (saved + other)) return 1;
  return static_cast<std::size_t>(std::clamp(cache_bytes / bytes, 1.0, static_cast<double>(most_lanes_together)));
}

void Executable::bind_beside(std::span<ProgramRun* const> lanes) const {
  std::byte* const values = lanes.front()->arena.values_of_lanes(plan().arena_bytes * lanes.size());
  for (std::size_t lane = 0; lane < lanes.size(); ++lane)
    if (Arena& arena = lanes[lane]->arena; arena.is_new_beside(values, lanes.size(), lane))
      for (std::size_t i = 0; i < plan().buffers.size(); ++i)
        if (const Buffer& buffer = plan().buffers[i]; buffer.place == Buffer::Place::arena)
          arena.pointers()[i] = values + buffer.offset * lanes.size() + 4 * buffer.size * lane;
}

void Executable::run_together(std::span<ProgramRun* const> lanes) const {
  Arena& first = lanes.front()->arena;
  std::array<const std::vector<void*>*, most_lanes_together> pointers{};
  for (std::size_t i = 0; i < lanes.size(); ++i) {
    Arena& arena = lanes[i]->arena;
    if (i > 0) arena.share_scratch(first);
    bind(lanes[i]->inputs, lanes[i]->outputs, arena, nullptr, bound_->all_side_by_side);
    pointers[i] = &arena.pointers();
  }
  if (bound_->all_side_by_side) bind_beside(lanes);
  for (std::size_t k = 0; k < plan().kernels.size(); ++k)
    if (const auto& together = bound_->together[k])
      run_side_by_side(*together, std::span(pointers).first(lanes.size()), first.staging(bound_->staging_bytes),
                       first.tile_together(k));
    else
      for (ProgramRun* lane : lanes) run_kernel(k, lane->arena, nullptr);
}

std::vector<double> Executable::time_kernels() const {
  std::vector<Array> arrays;
  for (const Type& type : plan().input_types) arrays.emplace_back(type);
  for (const Type& type : plan().output_types) arrays.emplace_back(type);
  std::vector<const void*> inputs;
  std::vector<void*> outputs;
  for (std::size_t i = 0; i < arrays.size(); ++i) {
    if (i < plan().input_types.size())
      inputs.push_back(arrays[i].data());
    else
      outputs.push_back(arrays[i].mutable_data());
  }
  Arena arena;
  bind(inputs, outputs, arena, nullptr);
  constexpr int runs = 20;
  std::vector<double> best(plan().kernels.size(), std::numeric_limits<double>::infinity());
  for (int i = 0; i < runs; ++i)
    for (std::size_t k = 0; k < best.size(); ++k) {
      const auto start = std::chrono::steady_clock::now();
      run_kernel(k, arena, nullptr);
      best[k] = std::min(best[k], std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    }
  return best;
}

std::vector<Array> Executable::run(std::span<const Array> inputs, Arena& arena) const {
  if (inputs.size() != plan().input_types.size())
    throw std::invalid_argument(
        fmt::format("{} takes {} inputs, not {}", plan().name, plan().input_types.size(), inputs.size()));
  std::vector<const void*> in;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].type() != plan().input_types[i])
      throw std::invalid_argument(fmt::format("{}: input {} is {}, not {}", plan().name, i, to_text(inputs[i].type()),
                                              to_text(plan().input_types[i])));
    in.push_back(inputs[i].data());
  }
  std::vector<Array> results;
  std::vector<void*> out;
  for (const Type& type : plan().output_types) results.emplace_back(type);
  for (Array& result : results) out.push_back(result.mutable_data());
  run(in, out, arena);
  return results;
}

Executable compile(const Program& program, const PlanOptions& options) {
  return Executable(make_plan(program, options));
}

}  // namespace lopt
