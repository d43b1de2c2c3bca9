#include "plan/sequences.h"

#include "kernels/kernels.h"

#include <algorithm>
#include <set>

namespace lopt {
namespace {

using Kind = TileInstruction::Kind;

/// The sequence under way.
class Sequence {
 public:
  void begin(TileInstruction& i) {
    made_.clear();
    columns_ = i.columns;
    add(i);
  }
  /// Strips of `i` may run between those of the instructions before: what it reads of theirs lies in its own rows and
  /// columns.
  bool takes(const TileInstruction& i) const {
    return i.columns == columns_ && std::all_of(i.operands.begin(), i.operands.end(), [&](const TileOperand& operand) {
             return operand.kind != TileOperand::Kind::tile || !made_.contains(operand.group) ||
                    (operand.first == 0 && (operand.step == 1 || columns_ == 1));
           });
  }
  void go_on(TileInstruction& i) {
    i.goes_on = true;
    for (TileOperand& operand : i.operands)
      if (is_result(operand, *last_)) operand.kind = TileOperand::Kind::previous;
    add(i);
  }

 private:
  void add(TileInstruction& i) {
    last_ = &i;
    if (!i.to_memory) made_.insert(i.group);
  }
  static bool is_result(const TileOperand& operand, const TileInstruction& i) {
    return i.to_memory ? operand.kind == TileOperand::Kind::stream && operand.buffer == i.buffer
                       : operand.kind == TileOperand::Kind::tile && operand.group == i.group;
  }

  std::set<std::uint32_t> made_;
  std::int64_t columns_ = 0;
  TileInstruction* last_ = nullptr;
};

}  // namespace

void join_elementwise(Region& region) {
  Sequence sequence;
  bool under_way = false;
  for (std::size_t k = 0; k < region.instructions.size(); ++k) {
    TileInstruction& i = region.instructions[k];
    const bool can_join =
        i.kind == Kind::elementwise && kernels::has_elementwise(i.primitive->name, i.dtype, i.result_dtype);
    const bool same_rows = k != region.blocks_begin && k != region.blocks_end;
    if (can_join && under_way && same_rows && sequence.takes(i))
      sequence.go_on(i);
    else if (can_join)
      sequence.begin(i);
    under_way = can_join;
  }
  std::set<std::uint32_t> read;
  for (TileInstruction& i : region.instructions)
    for_operands(i, [&](const TileOperand& operand) {
      if (operand.kind == TileOperand::Kind::tile) read.insert(operand.group);
    });
  for (TileInstruction& i : region.instructions)
    if (i.kind == Kind::elementwise && writes_group(i)) i.kept = read.contains(i.group);
}

}  // namespace lopt
