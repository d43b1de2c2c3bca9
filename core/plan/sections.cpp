#include "plan/sections.h"

#include <algorithm>
#include <optional>
#include <set>

namespace lopt {
namespace {

using Kind = TileInstruction::Kind;
constexpr std::int64_t least_width = 2 * section_block;

bool reads_any(const TileInstruction& i, const std::set<std::uint32_t>& groups) {
  return std::any_of(i.operands.begin(), i.operands.end(), [&](const TileOperand& o) {
    return o.kind == TileOperand::Kind::tile && groups.contains(o.group);
  });
}

/// The instructions of a section as one backward pass through a hidden layer, if that is what they are.
std::optional<TileInstruction> as_hidden_backward(const std::vector<TileInstruction>& body) {
  const TileInstruction *hidden = nullptr, *back = nullptr, *mask = nullptr, *to_inputs = nullptr;
  auto reads = [](const TileInstruction& i, std::size_t k, const TileInstruction* from) {
    return from && i.operands[k].kind == TileOperand::Kind::tile && i.operands[k].group == from->group;
  };
  for (const TileInstruction& i : body)
    if (i.kind == Kind::dense && i.blocked.result) (i.layers[0].relu ? hidden : back) = &i;
  for (const TileInstruction& i : body) {
    if (i.kind == Kind::elementwise && i.primitive->name == "where_positive" && reads(i, 0, hidden) &&
        reads(i, 1, back))
      mask = &i;
    if (i.kind == Kind::dense && i.blocked.inputs && reads(i, 0, mask)) to_inputs = &i;
  }
  if (!mask || !to_inputs || back->layers[0].has_bias || to_inputs->layers[0].has_bias || to_inputs->layers[0].relu)
    return std::nullopt;
  const std::int64_t inputs = hidden->layers[0].inputs, outputs = back->layers[0].inputs;
  if (inputs > 4 || outputs > 2 || to_inputs->layers[0].outputs != inputs) return std::nullopt;

  TileInstruction fused;
  fused.kind = Kind::hidden_backward;
  fused.operands = {hidden->operands[0], back->operands[0]};
  fused.layers = {hidden->layers[0], back->layers[0], to_inputs->layers[0]};
  fused.columns = inputs;
  fused.group = to_inputs->group;
  auto same = [](const TileOperand& a, const TileOperand& b) {
    return a.kind == b.kind && a.group == b.group && a.buffer == b.buffer && a.first == b.first && a.step == b.step;
  };
  std::size_t taken = 4;
  for (const TileInstruction& i : body) {
    if (i.kind == Kind::row_sum && reads(i, 0, mask) && !fused.bias.wanted) {
      fused.bias = {true, i.buffer, 0, 1};
    } else if (i.kind == Kind::outer && reads(i, 1, mask) && same(i.operands[0], fused.operands[0]) &&
               !fused.input_weights.wanted) {
      fused.input_weights = {true, i.buffer, i.columns, 1};
    } else if (i.kind == Kind::outer && reads(i, 0, mask) && same(i.operands[1], fused.operands[0]) &&
               !fused.input_weights.wanted) {
      fused.input_weights = {true, i.buffer, 1, i.columns};
    } else if (i.kind == Kind::outer && reads(i, 0, hidden) && same(i.operands[1], fused.operands[1]) &&
               !fused.output_weights.wanted) {
      fused.output_weights = {true, i.buffer, i.columns, 1};
    } else if (i.kind == Kind::outer && reads(i, 1, hidden) && same(i.operands[0], fused.operands[1]) &&
               !fused.output_weights.wanted) {
      fused.output_weights = {true, i.buffer, 1, i.columns};
    } else {
      continue;
    }
    ++taken;
  }
  return taken == body.size() ? std::optional(fused) : std::nullopt;
}

class SectionFinder {
 public:
  SectionFinder(Region& region, std::vector<std::int64_t>& columns) : region_(region), columns_(columns) {}

  void run() {
    std::vector<TileInstruction> rest = std::move(region_.instructions);
    region_.instructions.clear();
    while (!rest.empty()) {
      const auto start = std::find_if(rest.begin(), rest.end(),
                                      [&](const TileInstruction& i) { return begins(i) && !tried_.contains(i.group); });
      move_all({std::make_move_iterator(rest.begin()), std::make_move_iterator(start)});
      rest.erase(rest.begin(), start);
      if (!rest.empty()) rest = take_section(std::move(rest));
    }
  }

 private:
  struct Split {
    std::vector<TileInstruction> before, body, after;
  };

  void move_all(std::vector<TileInstruction> from) {
    std::move(from.begin(), from.end(), std::back_inserter(region_.instructions));
  }

  /// Makes a wide value that no section has tried to begin with.
  bool begins(const TileInstruction& i) const {
    return (i.kind == Kind::dense || i.kind == Kind::load || i.kind == Kind::elementwise) && i.columns >= least_width &&
           columns_[i.group] == i.columns;
  }

  /// Moves a section, or where there is none one instruction, to the region; returns what is left.
  std::vector<TileInstruction> take_section(std::vector<TileInstruction> rest) {
    const std::int64_t width = rest.front().columns;
    tried_.insert(rest.front().group);
    std::optional<Split> split = split_at(rest, width);
    if (!split || split->body.size() < 2) {
      region_.instructions.push_back(std::move(rest.front()));
      rest.erase(rest.begin());
      return rest;
    }
    for (const TileInstruction& i : split->body)
      if (writes_group(i) && i.blocked.result) columns_[i.group] = section_block;
    move_all(std::move(split->before));
    if (std::optional<TileInstruction> fused = as_hidden_backward(split->body)) {
      region_.instructions.push_back(std::move(*fused));
      return std::move(split->after);
    }
    const std::size_t begin = region_.instructions.size();
    move_all(std::move(split->body));
    region_.sections.push_back({begin, region_.instructions.size(), width});
    return std::move(split->after);
  }

  /// Which instructions run block by block, which must be done before them, and which need what comes out.
  std::optional<Split> split_at(const std::vector<TileInstruction>& list, std::int64_t width) const {
    Split split;
    std::set<std::uint32_t> wide, late;  // made in the section; complete only behind it
    for (TileInstruction i : list) {
      const bool uses_wide = reads_any(i, wide);
      if (reads_any(i, late) || (writes_group(i) && late.contains(i.group))) {
        if (uses_wide) return std::nullopt;
        if (writes_group(i)) late.insert(i.group);
        split.after.push_back(std::move(i));
      } else if (runs_blocked(i, width, wide)) {
        if (writes_group(i)) (i.blocked.result ? wide : late).insert(i.group);
        split.body.push_back(std::move(i));
      } else if (uses_wide) {
        return std::nullopt;
      } else {
        split.before.push_back(std::move(i));
      }
    }
    return split;
  }

  /// Says how an instruction runs block by block; false if it does not.
  bool runs_blocked(TileInstruction& i, std::int64_t width, const std::set<std::uint32_t>& wide) const {
    auto touches = [&](const TileOperand& o) { return o.kind == TileOperand::Kind::tile && wide.contains(o.group); };
    auto is_wide = [&](const TileOperand& o) { return touches(o) && o.first == 0 && o.step == 1; };
    i.blocked = {false, false, std::vector<bool>(i.operands.size(), false)};
    switch (i.kind) {
      case Kind::load: return i.blocked.result = i.columns == width && columns_[i.group] == width;
      case Kind::elementwise:
        if (i.columns != width || columns_[i.group] != width) return false;
        for (std::size_t k = 0; k < i.operands.size(); ++k) {
          if (touches(i.operands[k]) && !is_wide(i.operands[k])) return false;
          i.blocked.operand_shifts[k] = !touches(i.operands[k]);
        }
        return i.blocked.result = true;
      case Kind::dense:
        if (is_wide(i.operands[0]) && i.layers[0].inputs == width && i.layers[0].outputs < least_width)
          return i.blocked.inputs = true;
        return i.blocked.result = !touches(i.operands[0]) && i.layers[0].outputs == width;
      case Kind::row_sum:
      case Kind::store: return i.blocked.result = is_wide(i.operands[0]) && i.columns == width;
      case Kind::outer:
        if (is_wide(i.operands[0]) && i.inner == width && !touches(i.operands[1])) return i.blocked.inputs = true;
        return i.blocked.result = is_wide(i.operands[1]) && i.columns == width && !touches(i.operands[0]);
      default: return false;
    }
  }

  Region& region_;
  std::vector<std::int64_t>& columns_;
  std::set<std::uint32_t> tried_;
};

}  // namespace

bool writes_group(const TileInstruction& i) {
  return i.kind != Kind::store && i.kind != Kind::row_sum && i.kind != Kind::outer;
}

void find_sections(Region& region, std::vector<std::int64_t>& columns) { SectionFinder(region, columns).run(); }

}  // namespace lopt
