#include "plan/direct_stores.h"

#include <map>

namespace lopt {

namespace {

using Kind = TileInstruction::Kind;

/// Whether whole vectors of a region's rows may be written to a buffer.
bool takes_vectors(const Region& region, BufferId buffer, const std::function<bool(BufferId)>& has_room) {
  constexpr std::int64_t vector_rows = 16;
  return region.rows % vector_rows == 0 || has_room(buffer);
}

}  // namespace

void store_directly(Region& region, const std::function<bool(BufferId)>& has_room) {
  std::map<std::uint32_t, std::size_t> makers;  // of groups of one column
  std::map<std::uint32_t, BufferId> stored;
  for (std::size_t k = 0; k < region.instructions.size(); ++k) {
    const TileInstruction& i = region.instructions[k];
    if (i.kind == Kind::elementwise && i.columns == 1) makers[i.group] = k;
    if (i.kind == Kind::store && i.columns == 1 && i.operands[0].kind == TileOperand::Kind::tile &&
        makers.contains(i.operands[0].group) && takes_vectors(region, i.buffer, has_room))
      stored.try_emplace(i.operands[0].group, i.buffer);
  }
  for (const auto& [group, buffer] : stored) {
    TileInstruction& maker = region.instructions[makers[group]];
    maker.to_memory = true;
    maker.buffer = buffer;
  }
  std::vector<TileInstruction> rest;
  std::size_t begin = 0, end = 0;  // of the blocks, in the rest
  for (std::size_t k = 0; k < region.instructions.size(); ++k) {
    TileInstruction& i = region.instructions[k];
    for_operands(i, [&](TileOperand& operand) {
      if (operand.kind != TileOperand::Kind::tile) return;
      if (const auto found = stored.find(operand.group); found != stored.end())
        operand = {.kind = TileOperand::Kind::stream, .buffer = found->second};
    });
    const bool is_done = i.kind == Kind::store && i.operands[0].kind == TileOperand::Kind::stream &&
                         i.operands[0].buffer == i.buffer && i.operands[0].first == 0;
    begin += !is_done && k < region.blocks_begin;
    end += !is_done && k < region.blocks_end;
    if (!is_done) rest.push_back(std::move(i));
  }
  region.instructions = std::move(rest);
  region.blocks_begin = begin;
  region.blocks_end = end;
}

}  // namespace lopt
