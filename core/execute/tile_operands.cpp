// Where the instructions of a tile find what they read, and where they write.
#include "execute/tile.h"

#include "plan/kernel_buffers.h"

#include <optional>
#include <set>

namespace lopt {
namespace {

using Kind = TileInstruction::Kind;

/// The functions of the sequence that begins with instruction k, if it has any.
void add_steps(const Region& region, std::size_t k, BoundInstructions& bound) {
  if (region.instructions[k].goes_on) return;
  BoundInstructions::Sequence sequence{bound.steps.size(), 0};
  do {
    const TileInstruction& i = region.instructions[k];
    std::vector<kernels::Source> sources;
    for (const TileOperand& o : i.operands)
      sources.push_back(o.kind == TileOperand::Kind::previous  ? kernels::Source::previous
                        : o.kind == TileOperand::Kind::uniform ? kernels::Source::same
                                                               : kernels::Source::column);
    kernels::ElementwiseStep step;
    if (!kernels::find_elementwise(step, i.primitive->name, i.dtype, i.result_dtype, sources)) return;
    bound.steps.push_back(step);
    ++sequence.instructions;
  } while (++k < region.instructions.size() && region.instructions[k].goes_on);
  kernels::end_sequence(bound.steps.emplace_back());
  bound.sequences[k - sequence.instructions] = sequence;
}

}  // namespace

BoundInstructions bind_instructions(const Region& region, const std::vector<Buffer>& buffers) {
  BoundInstructions bound;
  for (const Buffer& buffer : buffers) bound.stays.push_back(buffer.place == Buffer::Place::arena);
  bound.sequences.resize(region.instructions.size());
  for (std::size_t k = 0; k < region.instructions.size(); ++k) {
    const TileInstruction& i = region.instructions[k];
    if (i.kind == Kind::elementwise) add_steps(region, k, bound);
    if (!i.layers.empty()) bound.layer_columns += static_cast<std::size_t>(i.layers[0].inputs);
    if (i.kind == Kind::outer) bound.layer_columns += static_cast<std::size_t>(i.inner + i.columns);
    if (i.kind == Kind::hidden_backward) bound.layer_columns += static_cast<std::size_t>(i.layers[1].inputs);
    if (i.kind == Kind::dense && !i.right.empty()) bound.layer_columns += static_cast<std::size_t>(i.columns);
  }
  return bound;
}

TileRunner::TileRunner(const Region& region, const BoundInstructions& bound, const std::vector<void*>& pointers,
                       const Place& place, TileMemory& memory)
    : region_(region),
      bound_(bound),
      pointers_(pointers),
      scratch_(reinterpret_cast<std::uint32_t*>(place.scratch)),
      memory_(memory) {
  if (memory.scratch != place.scratch || memory.values != place.values) {
    memory.scratch = place.scratch;
    memory.values = place.values;
    memory.operands.assign(region.instructions.size(), {});
    memory.steps = bound.steps;
    memory.sequences.assign(region.instructions.size(), {});
    memory.columns.clear();
    memory.columns.reserve(bound.layer_columns);  // so that what points to them stays right
    for (auto* list : {&memory.fixed, &memory.with_tiles, &memory.with_blocks}) list->clear();
    memory.with_blocks_of_tiles.clear();
    for (std::size_t k = 0; k < region.instructions.size(); ++k)
      if (bound.sequences[k].instructions > 0)
        find_steps(k);
      else if (!region.instructions[k].goes_on)
        find_operands(k);
    move(memory.fixed, 0);
    std::erase_if(memory.fixed, [&](const TileMemory::InBuffer& moved) { return bound.stays[moved.buffer]; });
  }
  move(memory.fixed, 0);
  if (is_streamed(region)) find_streams();
}

Columns TileRunner::columns_of(const TileOperand& o) const {
  Columns result;
  result.uniform = o.kind == TileOperand::Kind::uniform;
  result.stride = o.step;
  if (o.kind == TileOperand::Kind::tile) {
    result.data = group(o.group, o.first);
    result.stride *= region_.groups[o.group].rows;
  }
  return result;
}

void TileRunner::note(void* pointer, const void* base, const TileOperand& o, std::int64_t element, bool in_blocks) {
  if (o.kind != TileOperand::Kind::tile) {
    auto& list = o.kind == TileOperand::Kind::uniform ? memory_.fixed
                 : in_blocks                          ? memory_.with_blocks
                                                      : memory_.with_tiles;
    list.push_back({pointer, o.buffer, o.first + element});
  } else if (in_blocks && region_.groups[o.group].rows != region_.block_rows) {
    memory_.with_blocks_of_tiles.push_back({pointer, static_cast<const std::uint32_t*>(base)});
  }
}

void TileRunner::find_operands(std::size_t k) {
  const TileInstruction& i = region_.instructions[k];
  const bool in_blocks = region_.in_blocks(k);
  TileMemory::Operands& operands = memory_.operands[k];
  if (writes_group(i) || i.to_memory) {
    const TileOperand result{.kind = i.to_memory ? TileOperand::Kind::stream : TileOperand::Kind::tile,
                             .group = i.group,
                             .buffer = i.buffer,
                             .first = i.kind == Kind::copy ? i.inner : 0};
    if (!i.to_memory) {
      operands.out = group(result.group, result.first);
      operands.out_stride = region_.groups[i.group].rows;
    }
    note(&operands.out, operands.out, result, 0, in_blocks);
  }
  if (i.kind == Kind::outer || !i.layers.empty()) {
    operands.columns = add_columns(i.operands, i.kind == Kind::outer ? i.inner : i.layers[0].inputs, in_blocks);
    if (!i.right.empty())
      operands.right =
          add_columns(i.right, i.kind == Kind::hidden_backward ? i.layers[1].inputs : i.columns, in_blocks);
    return;
  }
  for (std::size_t n = 0; n < i.operands.size(); ++n) {
    operands.in[n] = columns_of(i.operands[n]);
    note(&operands.in[n].data, operands.in[n].data, i.operands[n], 0, in_blocks);
  }
}

void TileRunner::find_steps(std::size_t first) {
  const auto [first_step, instructions] = bound_.sequences[first];
  kernels::Sequence& sequence = memory_.sequences[first];
  sequence.steps = memory_.steps.data() + first_step;
  sequence.columns = static_cast<std::size_t>(region_.instructions[first].columns);
  // Where all columns lie equally far apart.
  std::optional<std::ptrdiff_t> pitch;
  auto goes_on_by = [&](std::ptrdiff_t stride) {
    if (pitch.value_or(stride) != stride) stride = 0;
    pitch = stride;
  };
  for (std::size_t k = first; k < first + instructions; ++k) {
    const TileInstruction& i = region_.instructions[k];
    kernels::ElementwiseStep& step = memory_.steps[first_step + k - first];
    const bool in_blocks = region_.in_blocks(k);
    for (std::size_t n = 0; n < i.operands.size(); ++n) {
      const TileOperand& o = i.operands[n];
      if (o.kind == TileOperand::Kind::previous) continue;
      const Columns in = columns_of(o);
      step.in[n] = in.data;
      step.stride[n] = in.stride;
      if (!in.uniform || in.stride != 0) goes_on_by(in.uniform ? 0 : in.stride);
      note(&step.in[n], in.data, o, 0, in_blocks);
    }
    if (!i.to_memory && !i.kept) continue;
    const TileOperand result{.kind = i.to_memory ? TileOperand::Kind::stream : TileOperand::Kind::tile,
                             .group = i.group,
                             .buffer = i.buffer,
                             .step = 1};
    const Columns out = columns_of(result);
    step.out = const_cast<void*>(out.data);
    step.out_stride = out.stride;
    goes_on_by(out.stride);
    note(&step.out, out.data, result, 0, in_blocks);
  }
  sequence.pitch = pitch.value_or(0);
}

void TileRunner::find_streams() {
  std::set<const void*> read;
  for (const TileInstruction& i : region_.instructions)
    for_touched(
        i, [&](BufferId buffer, std::int64_t) { read.insert(pointers_[buffer]); }, [](BufferId, std::int64_t) {});
  const auto streams = [&](std::size_t k) {
    const TileInstruction& i = region_.instructions[k];
    return (i.to_memory || i.kind == Kind::store) && !read.contains(pointers_[i.buffer]);
  };
  for (std::size_t k = 0; k < region_.instructions.size(); ++k) {
    memory_.operands[k].streams = streams(k);
    const auto [first_step, instructions] = bound_.sequences[k];
    for (std::size_t n = 0; n < instructions; ++n) memory_.steps[first_step + n].streams = streams(k + n);
  }
}

std::size_t TileRunner::add_columns(const std::vector<TileOperand>& list, std::int64_t count, bool in_blocks) {
  const std::size_t begin = memory_.columns.size();
  const std::int64_t each = list.size() == 1 ? count : 1;
  for (const TileOperand& o : list) {
    const Columns from = columns_of(o);
    for (std::int64_t c = 0; c < each; ++c) {
      memory_.columns.push_back(
          o.kind == TileOperand::Kind::tile ? static_cast<const float*>(from.data) + c * from.stride : nullptr);
      note(&memory_.columns.back(), memory_.columns.back(), o, c * o.step, in_blocks);
    }
  }
  return begin;
}

}  // namespace lopt
