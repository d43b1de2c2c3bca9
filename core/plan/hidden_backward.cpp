#include "plan/hidden_backward.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

namespace lopt {
namespace {

using Kind = TileInstruction::Kind;
using Operands = std::vector<TileOperand>;

bool same(const Operands& a, const Operands& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const TileOperand& x, const TileOperand& y) {
    return x.kind == y.kind && x.group == y.group && x.buffer == y.buffer && x.first == y.first && x.step == y.step;
  });
}

/// All columns of the group that an instruction makes, and nothing else.
bool is_all_of(const Operands& operands, const TileInstruction& from) {
  return operands.size() == 1 && operands[0].kind == TileOperand::Kind::tile && operands[0].group == from.group &&
         operands[0].first == 0 && operands[0].step == 1;
}
bool reads(const TileInstruction& i, const std::set<std::uint32_t>& groups) {
  bool result = false;
  for_operands(i, [&](const TileOperand& o) {
    result = result || (o.kind == TileOperand::Kind::tile && groups.contains(o.group));
  });
  return result;
}

class Finder {
 public:
  explicit Finder(const std::vector<TileInstruction>& list) : list_(list) {
    for (std::size_t k = 0; k < list.size(); ++k)
      if (writes_group(list[k])) makers_[list[k].group].push_back(k);
  }

  struct Found {
    std::set<std::size_t> taken;
    std::size_t place = 0;  // of the fused instruction
    TileInstruction fused;
  };

  /// The pass whose mask is instruction `at`, if it is one.
  std::optional<Found> pass_at(std::size_t at) const {
    const TileInstruction& mask = list_[at];
    if (mask.kind != Kind::elementwise || mask.primitive->name != "where_positive") return std::nullopt;
    const auto hidden_at = maker(mask.operands[0]), back_at = maker(mask.operands[1]);
    if (!hidden_at || !back_at) return std::nullopt;
    const TileInstruction &hidden = list_[*hidden_at], &back = list_[*back_at];
    if (hidden.kind != Kind::dense || back.kind != Kind::dense || !hidden.layers[0].relu || !is_plain(back) ||
        !is_all_of({mask.operands[0]}, hidden) || !is_all_of({mask.operands[1]}, back))
      return std::nullopt;
    Found found{{at, *hidden_at, *back_at}, 0, {}};
    TileInstruction& fused = found.fused;
    fused.kind = Kind::hidden_backward;
    fused.operands = hidden.operands;
    fused.right = back.operands;
    bool has_inputs = false;
    for (std::size_t k = 0; k < list_.size(); ++k) {
      const TileInstruction& i = list_[k];
      if (found.taken.contains(k) || !reads(i, {hidden.group, back.group, mask.group})) continue;
      if (i.kind == Kind::dense && is_all_of(i.operands, mask) && is_plain(i) && !has_inputs) {
        has_inputs = true;
        found.place = k;
        fused.layers = {hidden.layers[0], back.layers[0], i.layers[0]};
        fused.columns = i.layers[0].outputs;
        fused.group = i.group;
      } else if (!take_sum(fused, i, hidden, mask)) {
        return std::nullopt;
      }
      found.taken.insert(k);
    }
    const std::int64_t inputs = hidden.layers[0].inputs, outputs = back.layers[0].inputs;
    if (!has_inputs || inputs > 4 || outputs > 2 || fused.columns != inputs) return std::nullopt;
    return found;
  }

 private:
  static bool is_plain(const TileInstruction& dense) { return !dense.layers[0].has_bias && !dense.layers[0].relu; }

  /// The one instruction that makes the operand's group.
  std::optional<std::size_t> maker(const TileOperand& operand) const {
    if (operand.kind != TileOperand::Kind::tile) return std::nullopt;
    const auto found = makers_.find(operand.group);
    if (found == makers_.end() || found->second.size() != 1) return std::nullopt;
    return found->second[0];
  }

  /// A sum over rows that the pass takes along: of dh, x × dh or h × dy, either way round.
  static bool take_sum(TileInstruction& fused, const TileInstruction& i, const TileInstruction& hidden,
                       const TileInstruction& mask) {
    auto take = [&](TileInstruction::Sum& sum, std::int64_t row_stride, std::int64_t column_stride) {
      if (sum.wanted) return false;
      sum = {true, i.buffer, row_stride, column_stride};
      return true;
    };
    if (i.kind == Kind::row_sum) return is_all_of(i.operands, mask) && take(fused.bias, 0, 1);
    if (i.kind != Kind::outer) return false;
    if (is_all_of(i.right, mask) && same(i.operands, fused.operands)) return take(fused.input_weights, i.columns, 1);
    if (is_all_of(i.operands, mask) && same(i.right, fused.operands)) return take(fused.input_weights, 1, i.columns);
    if (is_all_of(i.operands, hidden) && same(i.right, fused.right)) return take(fused.output_weights, i.columns, 1);
    if (is_all_of(i.right, hidden) && same(i.operands, fused.right)) return take(fused.output_weights, 1, i.columns);
    return false;
  }

  const std::vector<TileInstruction>& list_;
  std::map<std::uint32_t, std::vector<std::size_t>> makers_;
};

}  // namespace

void fuse_hidden_backward(Region& region) {
  for (std::size_t at = 0; at < region.instructions.size(); ++at) {
    auto found = Finder(region.instructions).pass_at(at);
    if (!found) continue;
    std::vector<TileInstruction> rest;
    for (std::size_t k = 0; k < region.instructions.size(); ++k) {
      if (k == found->place)
        rest.push_back(std::move(found->fused));
      else if (!found->taken.contains(k))
        rest.push_back(std::move(region.instructions[k]));
    }
    region.instructions = std::move(rest);
    at = 0;
  }
}

}  // namespace lopt
