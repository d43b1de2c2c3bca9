#include "plan/scratch.h"

#include <algorithm>

namespace lopt {

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

void assign_scratch(Region& region, const std::vector<std::int64_t>& columns) {
  const std::size_t never = ~std::size_t{0};
  std::vector<std::size_t> last_use(columns.size(), never);
  for (std::size_t i = 0; i < region.instructions.size(); ++i) {
    const TileInstruction& instruction = region.instructions[i];
    for (const TileOperand& operand : instruction.operands)
      if (operand.kind == TileOperand::Kind::tile) last_use[operand.group] = i;
  }
  auto writes = [](const TileInstruction& instruction) {
    using Kind = TileInstruction::Kind;
    return instruction.kind != Kind::store && instruction.kind != Kind::row_sum && instruction.kind != Kind::outer;
  };
  region.group_start.assign(columns.size(), -1);
  SpanAllocator scratch;
  auto release = [&](std::uint32_t group) {
    scratch.give_back(static_cast<std::size_t>(region.group_start[group]), static_cast<std::size_t>(columns[group]));
  };
  for (std::size_t i = 0; i < region.instructions.size(); ++i) {
    const TileInstruction& instruction = region.instructions[i];
    std::vector<std::uint32_t> dying;
    for (const TileOperand& operand : instruction.operands)
      if (operand.kind == TileOperand::Kind::tile && last_use[operand.group] == i &&
          std::find(dying.begin(), dying.end(), operand.group) == dying.end())
        dying.push_back(operand.group);
    if (writes(instruction) && region.group_start[instruction.group] < 0) {
      // An elementwise result may take the place of an operand that ends here, column for column.
      auto in_place = std::find_if(dying.begin(), dying.end(), [&](std::uint32_t group) {
        return instruction.kind == TileInstruction::Kind::elementwise && columns[group] == instruction.columns &&
               std::all_of(instruction.operands.begin(), instruction.operands.end(), [&](const TileOperand& operand) {
                 return operand.kind != TileOperand::Kind::tile || operand.group != group ||
                        (operand.first == 0 && (operand.step == 1 || instruction.columns == 1));
               });
      });
      if (in_place != dying.end()) {
        region.group_start[instruction.group] = region.group_start[*in_place];
        dying.erase(in_place);
      } else {
        region.group_start[instruction.group] =
            static_cast<std::int64_t>(scratch.take(static_cast<std::size_t>(columns[instruction.group])));
      }
      if (last_use[instruction.group] == never) dying.push_back(instruction.group);
    }
    for (std::uint32_t group : dying) release(group);
  }
  region.scratch_columns = static_cast<std::int64_t>(scratch.high_water());
  constexpr std::int64_t cache_words = 8192;  // 32 KB: the smallest L1 of the processors we run on
  region.tile_rows = 512;
  while (region.tile_rows > 64 && region.tile_rows * region.scratch_columns > cache_words) region.tile_rows /= 2;
  region.tile_rows = std::min(region.tile_rows, (region.rows + 15) / 16 * 16);
}

}  // namespace lopt
