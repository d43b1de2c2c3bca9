#include "execute/region_runner.h"

#include "plan/cost.h"
#include "plan/kernel_buffers.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace lopt {
namespace {

void run_rows(const Region& region, const BoundRegion& bound, const std::vector<void*>& pointers,
              const TileRunner::Place& place, TileMemory& memory, std::int64_t begin, std::int64_t end) {
  TileRunner tiles(region, bound.instructions, pointers, place, memory);
  for (std::int64_t row = begin; row < end; row += region.tile_rows) tiles.run(row, region.rows);
  if (is_streamed(region)) kernels::finish_streams();
}

/// Zeros, or −∞ for a maximum.
void begin_sum(const BoundRegion::Sum& sum, void* to, const Plan& plan) {
  std::fill_n(static_cast<float*>(to), plan.buffers[sum.buffer].size,
              sum.maximum ? -std::numeric_limits<float>::infinity() : 0.0F);
}

}  // namespace

BoundRegion bind_region(const Region& region, const Plan& plan) {
  constexpr double worth_flop = 1e5, worth_bytes = 1e5;  // some microseconds
  const Cost cost = cost_of(region, plan);
  BoundRegion bound{bind_instructions(region, plan.buffers),
                    {},
                    0,
                    buffers_of(region),
                    cost.flop > worth_flop || cost.bytes > worth_bytes};
  for (const TileInstruction& i : region.instructions)
    for (BufferId sum : sums_of(i)) {
      bound.sums.push_back({sum, i.kind == TileInstruction::Kind::row_max});
      bound.partial_bytes += partial_size(plan.buffers[sum]);
    }
  std::sort(bound.buffers.begin(), bound.buffers.end());
  bound.buffers.erase(std::unique(bound.buffers.begin(), bound.buffers.end()), bound.buffers.end());
  return bound;
}

void run_region(const Region& region, const BoundRegion& bound, const Plan& plan, Arena& arena,
                std::vector<TileMemory>& tiles, BlockTeam* team) {
  if (!bound.is_long) team = nullptr;
  const std::size_t at_once = team ? static_cast<std::size_t>(region.chunks) : 1;
  if (tiles.size() < at_once) tiles.resize(at_once);
  const std::vector<void*>& pointers = arena.pointers();
  const auto& [instructions, sums, partial_bytes, buffers, is_long] = bound;
  if (region.chunks == 1 || (!team && sums.empty())) {
    for (const auto& sum : sums) begin_sum(sum, pointers[sum.buffer], plan);
    return run_rows(region, bound, pointers, {arena.values(), arena.scratch()}, tiles[0], 0, region.rows);
  }

  const auto chunks = static_cast<std::size_t>(region.chunks);
  const std::int64_t tile_count = (region.rows + region.tile_rows - 1) / region.tile_rows;
  const std::int64_t chunk_rows = (tile_count + region.chunks - 1) / region.chunks * region.tile_rows;
  std::byte* partials = arena.scratch() + plan.scratch_bytes * (team ? max_chunks : 1);
  auto run_chunk = [&, &sums = sums, partial_bytes = partial_bytes, &buffers = buffers](std::size_t chunk) {
    std::vector<void*>& mine = tiles[team ? chunk : 0].pointers;
    mine.resize(pointers.size());
    for (const BufferId buffer : buffers) mine[buffer] = pointers[buffer];
    std::byte* at = partials + chunk * partial_bytes;
    for (const auto& sum : sums) {
      mine[sum.buffer] = at;
      begin_sum(sum, at, plan);
      at += partial_size(plan.buffers[sum.buffer]);
    }
    const std::int64_t begin = static_cast<std::int64_t>(chunk) * chunk_rows;
    run_rows(region, bound, mine, {arena.values(), arena.scratch() + (team ? chunk * plan.scratch_bytes : 0)},
             tiles[team ? chunk : 0], begin, std::min(begin + chunk_rows, region.rows));
  };
  if (team)
    team->run(chunks, run_chunk);
  else
    for (std::size_t chunk = 0; chunk < chunks; ++chunk) run_chunk(chunk);

  std::size_t offset = 0;
  for (const auto& [buffer, maximum] : sums) {
    auto* to = static_cast<float*>(pointers[buffer]);
    for (std::size_t chunk = 0; chunk < chunks; ++chunk) {
      const auto* from = reinterpret_cast<const float*>(partials + chunk * partial_bytes + offset);
      for (std::size_t k = 0; k < plan.buffers[buffer].size; ++k) {
        const bool larger = from[k] > to[k] || std::isnan(from[k]);
        to[k] = chunk == 0 || (maximum && larger) ? from[k] : maximum ? to[k] : to[k] + from[k];
      }
    }
    offset += partial_size(plan.buffers[buffer]);
  }
}

}  // namespace lopt
