#include "plan/gated_layers.h"

#include <algorithm>
#include <optional>

namespace lopt {
namespace {

using Kind = TileInstruction::Kind;

bool is_gate(const TileInstruction& i) {
  if (i.kind != Kind::elementwise || i.primitive->name != "where_positive" || i.to_memory || i.operands.size() != 2)
    return false;
  return i.operands[0].kind == TileOperand::Kind::tile || i.operands[0].kind == TileOperand::Kind::stream;
}

/// The layer whose whole result the gate takes, and nobody else; nothing where there is none.
std::optional<std::size_t> layer_of(const std::vector<TileInstruction>& list, const TileInstruction& gate) {
  const TileOperand& taken = gate.operands[1];
  if (taken.kind != TileOperand::Kind::tile || taken.first != 0 || taken.step != 1) return std::nullopt;
  std::optional<std::size_t> found;
  std::size_t readers = 0;
  for (std::size_t k = 0; k < list.size(); ++k) {
    if (writes_group(list[k]) && list[k].group == taken.group) {
      if (found || list[k].kind != Kind::dense || list[k].layers[0].relu || !list[k].right.empty() ||
          list[k].columns != gate.columns)
        return std::nullopt;
      found = k;
    }
    for_operands(list[k], [&](const TileOperand& operand) {
      readers += operand.kind == TileOperand::Kind::tile && operand.group == taken.group;
    });
  }
  return readers == 1 ? found : std::nullopt;
}

}  // namespace

void fuse_gates(Region& region) {
  std::vector<TileInstruction>& list = region.instructions;
  for (std::size_t at = 0; at < list.size(); ++at) {
    if (!is_gate(list[at])) continue;
    const std::optional<std::size_t> layer = layer_of(list, list[at]);
    if (!layer) continue;
    TileInstruction fused = std::move(list[*layer]);
    fused.right = {list[at].operands[0]};
    fused.group = list[at].group;
    list[at] = std::move(fused);  // where the gate is known
    list.erase(list.begin() + static_cast<std::ptrdiff_t>(*layer));
    at -= *layer < at ? 1 : 0;
  }
}

}  // namespace lopt
