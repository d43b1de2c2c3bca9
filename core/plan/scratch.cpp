#include "plan/scratch.h"

#include <algorithm>
#include <set>

namespace lopt {

bool writes_group(const TileInstruction& i) {
  using Kind = TileInstruction::Kind;
  return i.kind != Kind::store && i.kind != Kind::row_sum && i.kind != Kind::outer;
}

std::vector<BufferId> sums_of(const TileInstruction& i) {
  if (i.kind == TileInstruction::Kind::row_sum || i.kind == TileInstruction::Kind::outer) return {i.buffer};
  std::vector<BufferId> result;
  if (i.kind == TileInstruction::Kind::hidden_backward)
    for (const auto& sum : {i.input_weights, i.bias, i.output_weights})
      if (sum.wanted) result.push_back(sum.buffer);
  return result;
}

std::size_t SpanAllocator::take(std::size_t size) {
  for (auto it = free_.begin(); it != free_.end(); ++it)
    if (it->second >= size) {
      const std::size_t start = it->first;
      *it = {start + size, it->second - size};
      if (it->second == 0) free_.erase(it);
      return start;
    }
  const std::size_t start =
      !free_.empty() && free_.back().first + free_.back().second == end_ ? free_.back().first : end_;
  if (start != end_) free_.pop_back();
  end_ = start + size;
  return start;
}

void SpanAllocator::give_back(std::size_t start, std::size_t size) {
  if (size == 0) return;
  auto it = free_.insert(std::lower_bound(free_.begin(), free_.end(), std::pair{start, std::size_t{0}}), {start, size});
  if (auto next = std::next(it); next != free_.end() && it->first + it->second == next->first) {
    it->second += next->second;
    it = std::prev(free_.erase(next));
  }
  if (it != free_.begin())
    if (auto before = std::prev(it); before->first + before->second == it->first) {
      before->second += it->second;
      free_.erase(it);
    }
}

namespace {

constexpr std::size_t never = ~std::size_t{0};

/// The instruction that uses each group last.
std::vector<std::size_t> last_uses(const Region& region, std::size_t groups) {
  std::vector<std::size_t> last(groups, never);
  for (std::size_t i = 0; i < region.instructions.size(); ++i)
    for_operands(region.instructions[i], [&](const TileOperand& operand) {
      if (operand.kind == TileOperand::Kind::tile) last[operand.group] = i;
    });
  return last;
}

/// An operand of an elementwise instruction whose place the result may take, column for column.
bool can_replace(const TileInstruction& instruction, std::uint32_t group, const std::vector<std::int64_t>& columns) {
  return instruction.kind == TileInstruction::Kind::elementwise && columns[group] == columns[instruction.group] &&
         std::all_of(instruction.operands.begin(), instruction.operands.end(), [&](const TileOperand& operand) {
           return operand.kind != TileOperand::Kind::tile || operand.group != group ||
                  (operand.first == 0 && (operand.step == 1 || instruction.columns == 1));
         });
}

}  // namespace

void assign_scratch(Region& region, const std::vector<std::int64_t>& columns) {
  const std::vector<std::size_t> last_use = last_uses(region, columns.size());
  std::vector<std::vector<std::uint32_t>> ending(region.instructions.size());  // groups by their last use
  for (std::uint32_t group = 0; group < columns.size(); ++group)
    if (last_use[group] != never) ending[last_use[group]].push_back(group);
  region.group_start.assign(columns.size(), -1);
  SpanAllocator scratch;
  auto place = [&](std::uint32_t group) {
    if (region.group_start[group] < 0)
      region.group_start[group] = static_cast<std::int64_t>(scratch.take(static_cast<std::size_t>(columns[group])));
  };
  for (std::size_t i = 0; i < region.instructions.size(); ++i) {
    const TileInstruction& instruction = region.instructions[i];
    std::set<std::uint32_t> dying;
    for (std::uint32_t group : ending[i])
      if (region.group_start[group] >= 0) dying.insert(group);
    if (writes_group(instruction) && region.group_start[instruction.group] < 0) {
      const auto in_place = std::find_if(dying.begin(), dying.end(),
                                         [&](std::uint32_t group) { return can_replace(instruction, group, columns); });
      if (in_place != dying.end()) {
        region.group_start[instruction.group] = region.group_start[*in_place];
        dying.erase(in_place);
      } else {
        place(instruction.group);
      }
      if (last_use[instruction.group] == never) dying.insert(instruction.group);
    }
    for (std::uint32_t group : dying)
      scratch.give_back(static_cast<std::size_t>(region.group_start[group]), static_cast<std::size_t>(columns[group]));
  }
  region.scratch_columns = static_cast<std::int64_t>(scratch.high_water());
  // Tiles of whole blocks of rows, as layers have them at each level (6 vectors of 16, 3 of 8), that leave room in a
  // first cache of 32 KB for what comes from memory.
  constexpr std::int64_t cache_words = 7168, block_rows = 96, most_rows = 960;
  const std::int64_t fitting = cache_words / std::max<std::int64_t>(1, region.scratch_columns);
  region.tile_rows = fitting >= block_rows ? std::min(most_rows, fitting / block_rows * block_rows) : block_rows / 2;
  region.tile_rows = std::min(region.tile_rows, (region.rows + 15) / 16 * 16);
  constexpr std::int64_t chunk_rows = 1024;
  const std::int64_t tiles = (region.rows + region.tile_rows - 1) / region.tile_rows;
  region.chunks = std::clamp<std::int64_t>(region.rows / chunk_rows, 1, std::min<std::int64_t>(tiles, max_chunks));
}

}  // namespace lopt
