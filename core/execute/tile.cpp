#include "execute/tile.h"

#include <algorithm>
#include <cstring>
#include <map>

namespace lopt {
namespace {

using Kind = TileInstruction::Kind;
const float* real(const kernels::Columns& columns) { return static_cast<const float*>(columns.data); }
std::size_t size(std::int64_t n) { return static_cast<std::size_t>(n); }

/// Calls f(first element, its stride, how many) for the rows [begin, end) of a pattern, run by run of its innermost
/// dimension.
template <class Function>
void for_runs(const RowPattern& rows, const std::uint32_t* from, std::int64_t begin, std::int64_t end, Function f) {
  if (rows.lengths.size() == 1) return f(from + begin * rows.strides[0], rows.strides[0], end - begin);
  const std::int64_t length = rows.lengths.back(), stride = rows.strides.back();
  RowPattern outer{Shape(rows.lengths.begin(), rows.lengths.end() - 1),
                   Shape(rows.strides.begin(), rows.strides.end() - 1)};
  std::int64_t row = begin;
  for_rows(outer, begin / length, (end + length - 1) / length, [&](std::int64_t at) {
    const std::int64_t start = row % length, count = std::min(length - start, end - row);
    f(from + at + start * stride, stride, count);
    row += count;
  });
}

/// How many columns from `first` on, below `end`, lie one element apart.
std::int64_t adjacent(const std::vector<std::int64_t>& offsets, std::int64_t first, std::int64_t end) {
  std::int64_t count = 1;
  while (first + count < end && offsets[size(first + count)] == offsets[size(first)] + count) ++count;
  return count;
}

}  // namespace

BoundInstructions bind_instructions(const Region& region) {
  BoundInstructions bound;
  std::map<std::pair<BufferId, std::int64_t>, int> seen;
  for (const TileInstruction& i : region.instructions) {
    std::array<int, 3> uniforms{-1, -1, -1};
    if (i.kind == Kind::elementwise) {
      for (std::size_t k = 0; k < i.operands.size(); ++k) {
        const TileOperand& o = i.operands[k];
        if (o.kind != TileOperand::Kind::uniform || (i.columns > 1 && o.step != 0)) continue;
        const auto [found, added] = seen.try_emplace({o.buffer, o.first}, static_cast<int>(bound.uniforms.size()));
        if (added) bound.uniforms.push_back({o.buffer, o.first});
        uniforms[k] = found->second;
      }
    }
    bound.uniform_of.push_back(uniforms);
    bound.kernels.push_back(
        i.kind == Kind::elementwise ? kernels::find_elementwise(i.primitive->name, i.dtype, i.result_dtype) : nullptr);
    if (!i.layers.empty()) bound.layer_columns += size(i.layers[0].inputs);
    if (i.kind == Kind::outer) bound.layer_columns += size(i.inner + i.columns);
    if (i.kind == Kind::hidden_backward) bound.layer_columns += size(i.layers[1].inputs);
  }
  return bound;
}

TileRunner::TileRunner(const Region& region, const BoundInstructions& bound, const std::vector<void*>& pointers,
                       std::byte* scratch, TileMemory& memory, std::int64_t first)
    : region_(region),
      bound_(bound),
      pointers_(pointers),
      scratch_(reinterpret_cast<std::uint32_t*>(scratch)),
      memory_(memory),
      first_(first) {
  memory.spread.resize(bound.uniforms.size());
  for (std::size_t k = 0; k < bound.uniforms.size(); ++k)
    memory.spread[k].fill(
        static_cast<const std::uint32_t*>(pointers[bound.uniforms[k].buffer])[bound.uniforms[k].element]);
  memory.operands.assign(region.instructions.size(), {});
  memory.columns.clear();
  memory.columns.reserve(bound.layer_columns);  // so that what points to them stays right
  memory.stream_operands.clear();
  memory.stream_columns.clear();
  for (std::size_t k = 0; k < region.instructions.size(); ++k) find_operands(k);
}

kernels::Columns TileRunner::columns_of(const TileOperand& o) const {
  kernels::Columns result;
  if (o.kind == TileOperand::Kind::tile) {
    result.data = group(o.group, o.first);
    result.stride = o.step * region_.tile_rows;
  } else {
    result.uniform = o.kind == TileOperand::Kind::uniform;
    result.data = static_cast<const std::uint32_t*>(pointers_[o.buffer]) + o.first + (result.uniform ? 0 : first_);
    result.stride = o.step;
  }
  return result;
}

void TileRunner::find_operands(std::size_t k) {
  const TileInstruction& i = region_.instructions[k];
  TileMemory::Operands& operands = memory_.operands[k];
  if (i.kind == Kind::outer) {
    operands.columns = add_columns(i.operands, i.inner);
    operands.right = add_columns(i.right, i.columns);
    return;
  }
  if (!i.layers.empty()) {
    operands.columns = add_columns(i.operands, i.layers[0].inputs);
    if (i.kind == Kind::hidden_backward) operands.right = add_columns(i.right, i.layers[1].inputs);
    return;
  }
  for (std::size_t n = 0; n < i.operands.size(); ++n) {
    if (const int uniform = bound_.uniform_of[k][n]; uniform >= 0) {
      operands.in[n] = {memory_.spread[static_cast<std::size_t>(uniform)].data(), 0, true, true};
      continue;
    }
    operands.in[n] = columns_of(i.operands[n]);
    if (i.operands[n].kind == TileOperand::Kind::stream) memory_.stream_operands.push_back(&operands.in[n]);
  }
}

std::size_t TileRunner::add_columns(const std::vector<TileOperand>& list, std::int64_t count) {
  const std::size_t begin = memory_.columns.size();
  const std::int64_t each = list.size() == 1 ? count : 1;
  for (const TileOperand& o : list) {
    const kernels::Columns from = columns_of(o);
    for (std::int64_t c = 0; c < each; ++c) {
      memory_.columns.push_back(real(from) + c * from.stride);
      if (o.kind == TileOperand::Kind::stream) memory_.stream_columns.push_back(&memory_.columns.back());
    }
  }
  return begin;
}

void TileRunner::run() {
  count_ = std::min(region_.tile_rows, region_.rows - first_);
  rows_ = size((count_ + 15) / 16 * 16);
  for (std::size_t k = 0; k < region_.instructions.size(); ++k) {
    if (const kernels::Elementwise kernel = bound_.kernels[k]) {
      const TileInstruction& i = region_.instructions[k];
      kernel(memory_.operands[k].in.data(), group(i.group, 0), region_.tile_rows, size(i.columns), rows_);
    } else {
      run(k);
    }
  }
  first_ += region_.tile_rows;
  for (kernels::Columns* operand : memory_.stream_operands)
    operand->data = static_cast<const std::uint32_t*>(operand->data) + region_.tile_rows;
  for (const float** column : memory_.stream_columns) *column += region_.tile_rows;
}

void TileRunner::run(std::size_t k) const {
  const TileInstruction& i = region_.instructions[k];
  const TileMemory::Operands& operands = memory_.operands[k];
  switch (i.kind) {
    case Kind::load: return load(i);
    case Kind::store: return store(i, operands.in[0]);
    case Kind::elementwise: return run_loop(i, operands.in);
    case Kind::copy: return copy(i, operands.in[0]);
    case Kind::zero: return static_cast<void>(std::memset(group(i.group, 0), 0, rows_ * 4));
    case Kind::dense:
      return kernels::layers().dense(columns(operands.columns), layer(i.layers[0]), real_group(i.group),
                                     region_.tile_rows, rows_);
    case Kind::chain:
      return kernels::layers().chain(columns(operands.columns), layer(i.layers[0]), layer(i.layers[1]),
                                     real_group(i.group), region_.tile_rows, rows_);
    case Kind::column_reduction: return column_reduction(i, operands.in[0]);
    case Kind::row_sum:
      return kernels::sums().row_sum(real(operands.in[0]), operands.in[0].stride, size(i.columns),
                                     static_cast<float*>(pointers_[i.buffer]), size(count_));
    case Kind::outer:
      return kernels::sums().outer(columns(operands.columns), size(i.inner), columns(operands.right), size(i.columns),
                                   static_cast<float*>(pointers_[i.buffer]), size(count_));
    case Kind::hidden_backward: return hidden_backward(i, operands);
  }
}

kernels::Layer TileRunner::layer(const DenseLayer& l) const {
  kernels::Layer result;
  result.weights = static_cast<const float*>(pointers_[l.weights]) + l.offset;
  result.row_stride = l.row_stride;
  result.column_stride = l.column_stride;
  result.inputs = size(l.inputs);
  result.outputs = size(l.outputs);
  result.relu = l.relu;
  if (l.has_bias) {
    result.bias = static_cast<const float*>(pointers_[l.bias.buffer]) + l.bias.first;
    result.bias_stride = l.bias.step;
  }
  return result;
}

void TileRunner::load(const TileInstruction& i) const {
  const auto* from = static_cast<const std::uint32_t*>(pointers_[i.buffer]);
  const auto end = static_cast<std::int64_t>(i.offsets.size());
  for (std::int64_t first = 0, columns = 0; first < end; first += columns) {
    columns = adjacent(i.offsets, first, end);
    std::uint32_t* to = group(i.group, first);
    for_runs(i.rows, from + i.offsets[size(first)], first_, first_ + count_,
             [&](const std::uint32_t* run, std::int64_t stride, std::int64_t count) {
               if (columns > 1)
                 kernels::transpose(run, stride, to, region_.tile_rows, size(count), size(columns));
               else if (stride == 1)
                 std::memcpy(to, run, size(count) * 4);
               else
                 for (std::int64_t k = 0; k < count; ++k) to[k] = run[k * stride];
               to += count;
             });
  }
}

void TileRunner::store(const TileInstruction& i, const kernels::Columns& from) const {
  auto* to = static_cast<std::uint32_t*>(pointers_[i.buffer]) + first_ * i.columns;
  if (!from.uniform && i.columns > 1)
    return kernels::transpose(static_cast<const std::uint32_t*>(from.data), from.stride, to, i.columns, size(i.columns),
                              size(count_));
  for (std::int64_t c = 0; c < i.columns; ++c) {
    const std::uint32_t* column = static_cast<const std::uint32_t*>(from.data) + c * from.stride;
    if (from.uniform)
      for (std::int64_t r = 0; r < count_; ++r) to[r * i.columns + c] = *column;
    else if (is_streamed(region_))
      kernels::stream(column, to, size(count_));
    else
      std::memcpy(to, column, size(count_) * 4);
  }
}

void TileRunner::copy(const TileInstruction& i, const kernels::Columns& from) const {
  const auto* source = static_cast<const std::uint32_t*>(from.data);
  std::uint32_t* to = group(i.group, i.inner);
  if (from.uniform)
    std::fill_n(to, rows_, *source);
  else
    std::memcpy(to, source, rows_ * 4);
}

void TileRunner::run_loop(const TileInstruction& i, const std::array<kernels::Columns, 3>& in) const {
  for (std::int64_t c = 0; c < i.columns; ++c) {
    const void* columns[3] = {};
    for (std::size_t k = 0; k < i.operands.size(); ++k) {
      const auto* column = static_cast<const std::uint32_t*>(in[k].data) + (in[k].spread ? 0 : c * in[k].stride);
      columns[k] = column;
      if (in[k].uniform) {
        std::uint32_t* same = scratch_ + (region_.scratch_columns + static_cast<std::int64_t>(k)) * region_.tile_rows;
        std::fill_n(same, count_, *column);
        columns[k] = same;
      }
    }
    i.primitive->loop(i.dtype, i.result_dtype, columns, group(i.group, c), size(count_));
  }
}

void TileRunner::column_reduction(const TileInstruction& i, const kernels::Columns& x) const {
  const auto kernel = i.primitive->name == "sum" ? kernels::sums().column_sum : kernels::sums().column_max;
  kernel(real(x), x.stride, size(i.inner), real_group(i.group), rows_);
}

void TileRunner::hidden_backward(const TileInstruction& i, const TileMemory::Operands& operands) const {
  kernels::HiddenBackward h;
  h.x = columns(operands.columns);
  h.dy = columns(operands.right);
  h.dx = real_group(i.group);
  h.dx_stride = region_.tile_rows;
  h.hidden = layer(i.layers[0]);
  h.back = layer(i.layers[1]);
  h.to_inputs = layer(i.layers[2]);
  auto sum = [&](const TileInstruction::Sum& s) {
    return s.wanted ? static_cast<float*>(pointers_[s.buffer]) : nullptr;
  };
  h.d_input_weights = sum(i.input_weights);
  h.d_input_row = i.input_weights.row_stride;
  h.d_input_column = i.input_weights.column_stride;
  h.d_bias = sum(i.bias);
  h.d_output_weights = sum(i.output_weights);
  h.d_output_row = i.output_weights.row_stride;
  h.d_output_column = i.output_weights.column_stride;
  kernels::hidden_backward(h, size(count_));
}

}  // namespace lopt
