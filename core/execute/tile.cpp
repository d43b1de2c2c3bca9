#include "execute/tile.h"

#include <algorithm>
#include <cstring>

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

BoundKernels bind_kernels(const Region& region) {
  BoundKernels result;
  for (const TileInstruction& i : region.instructions)
    result.push_back(i.kind == Kind::elementwise ? kernels::find_elementwise(i.primitive->name, i.dtype, i.result_dtype)
                                                 : nullptr);
  return result;
}

Tile::Tile(const Region& region, const std::vector<void*>& pointers, std::byte* scratch, std::int64_t first_row)
    : region_(region),
      pointers_(pointers),
      scratch_(reinterpret_cast<std::uint32_t*>(scratch)),
      first_(first_row),
      count_(std::min(region.tile_rows, region.rows - first_row)),
      rows_(size((count_ + 15) / 16 * 16)) {}

void Tile::run(const BoundKernels& kernels) const {
  std::size_t next_section = 0;
  for (std::size_t k = 0; k < region_.instructions.size(); ++k) {
    if (next_section < region_.sections.size() && region_.sections[next_section].begin == k) {
      const Section& section = region_.sections[next_section++];
      for (std::int64_t column = 0; column < section.width; column += section_block) {
        const Block block{column, std::min(section_block, section.width - column),
                          column + section_block >= section.width};
        for (std::size_t at = section.begin; at < section.end; ++at) run(region_.instructions[at], kernels[at], block);
      }
      k = section.end - 1;
    } else {
      run(region_.instructions[k], kernels[k], {0, region_.instructions[k].columns, true});
    }
  }
}

void Tile::run(const TileInstruction& i, kernels::Elementwise kernel, const Block& block) const {
  switch (i.kind) {
    case Kind::load: return load(i, block);
    case Kind::store: return store(i, block);
    case Kind::elementwise: return elementwise(i, kernel, block);
    case Kind::copy: return copy(i);
    case Kind::zero: return static_cast<void>(std::memset(group(i.group, 0), 0, rows_ * 4));
    case Kind::dense: return dense(i, block);
    case Kind::chain: return chain(i);
    case Kind::column_reduction: return column_reduction(i);
    case Kind::row_sum: return row_sum(i, block);
    case Kind::outer: return outer(i, block);
    case Kind::hidden_backward: return hidden_backward(i);
  }
}

kernels::Layer Tile::layer(const DenseLayer& l) const {
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

void Tile::load(const TileInstruction& i, const Block& block) const {
  const auto* from = static_cast<const std::uint32_t*>(pointers_[i.buffer]);
  const std::int64_t end = std::min(block.first + block.count, static_cast<std::int64_t>(i.offsets.size()));
  for (std::int64_t first = block.first, columns = 0; first < end; first += columns) {
    columns = adjacent(i.offsets, first, end);
    std::uint32_t* to = group(i.group, first - block.first);
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

void Tile::store(const TileInstruction& i, const Block& block) const {
  const kernels::Columns from = operand(i.operands[0]);
  auto* to = static_cast<std::uint32_t*>(pointers_[i.buffer]) + first_ * i.columns + block.first;
  if (!from.uniform && i.columns > 1)
    return kernels::transpose(static_cast<const std::uint32_t*>(from.data), from.stride, to, i.columns,
                              size(block.count), size(count_));
  for (std::int64_t c = 0; c < block.count; ++c) {
    const std::uint32_t* column = static_cast<const std::uint32_t*>(from.data) + c * from.stride;
    if (from.uniform)
      for (std::int64_t r = 0; r < count_; ++r) to[r * i.columns + c] = *column;
    else if (is_streamed(region_))
      kernels::stream(column, to, size(count_));
    else
      std::memcpy(to, column, size(count_) * 4);
  }
}

void Tile::copy(const TileInstruction& i) const {
  const kernels::Columns from = operand(i.operands[0]);
  const auto* source = static_cast<const std::uint32_t*>(from.data);
  std::uint32_t* to = group(i.group, i.inner);
  if (from.uniform)
    std::fill_n(to, rows_, *source);
  else
    std::memcpy(to, source, rows_ * 4);
}

void Tile::elementwise(const TileInstruction& i, kernels::Elementwise kernel, const Block& block) const {
  kernels::Columns inputs[3];
  for (std::size_t k = 0; k < i.operands.size(); ++k) {
    inputs[k] = operand(i.operands[k]);
    if (block.first > 0 && i.blocked.operand_shifts[k])
      inputs[k].data = static_cast<const std::uint32_t*>(inputs[k].data) + block.first * inputs[k].stride;
  }
  if (kernel) return kernel(inputs, group(i.group, 0), region_.tile_rows, size(block.count), rows_);
  for (std::int64_t c = 0; c < block.count; ++c) {
    const void* columns[3] = {};
    for (std::size_t k = 0; k < i.operands.size(); ++k) {
      const auto* column = static_cast<const std::uint32_t*>(inputs[k].data) + c * inputs[k].stride;
      columns[k] = column;
      if (inputs[k].uniform) {
        std::uint32_t* spread = scratch_ + (region_.scratch_columns + static_cast<std::int64_t>(k)) * region_.tile_rows;
        std::fill_n(spread, count_, *column);
        columns[k] = spread;
      }
    }
    i.primitive->loop(i.dtype, i.result_dtype, columns, group(i.group, c), size(count_));
  }
}

void Tile::dense(const TileInstruction& i, const Block& block) const {
  const kernels::Columns x = operand(i.operands[0]);
  kernels::Layer l = layer(i.layers[0]);
  if (i.blocked.result) {
    l.weights += block.first * l.column_stride;
    if (l.bias) l.bias += block.first * l.bias_stride;
    l.outputs = size(block.count);
  } else if (i.blocked.inputs) {
    l.weights += block.first * l.row_stride;
    l.inputs = size(std::min(section_block, i.layers[0].inputs - block.first));
    l.accumulate = block.first > 0;
    l.relu = l.relu && block.last;
  }
  kernels::layers().dense(real(x), x.stride, l, real_group(i.group), region_.tile_rows, rows_);
}

void Tile::chain(const TileInstruction& i) const {
  const kernels::Columns x = operand(i.operands[0]);
  kernels::layers().chain(real(x), x.stride, layer(i.layers[0]), layer(i.layers[1]), real_group(i.group),
                          region_.tile_rows, rows_);
}

void Tile::column_reduction(const TileInstruction& i) const {
  const kernels::Columns x = operand(i.operands[0]);
  const auto kernel = i.primitive->name == "sum" ? kernels::sums().column_sum : kernels::sums().column_max;
  kernel(real(x), x.stride, size(i.inner), real_group(i.group), rows_);
}

void Tile::row_sum(const TileInstruction& i, const Block& block) const {
  const kernels::Columns x = operand(i.operands[0]);
  kernels::sums().row_sum(real(x), x.stride, size(block.count), static_cast<float*>(pointers_[i.buffer]) + block.first,
                          size(count_));
}

void Tile::outer(const TileInstruction& i, const Block& block) const {
  const kernels::Columns a = operand(i.operands[0]), b = operand(i.operands[1]);
  auto* out = static_cast<float*>(pointers_[i.buffer]);
  std::int64_t inner = i.inner, columns = i.columns;
  if (i.blocked.inputs) {
    inner = std::min(section_block, i.inner - block.first);
    out += block.first * i.columns;
  } else if (i.blocked.result) {
    columns = block.count;
    out += block.first;
  }
  kernels::sums().outer(real(a), a.stride, size(inner), real(b), b.stride, size(columns), out, size(i.columns),
                        size(count_));
}

void Tile::hidden_backward(const TileInstruction& i) const {
  const kernels::Columns x = operand(i.operands[0]), dy = operand(i.operands[1]);
  kernels::HiddenBackward h;
  h.x = real(x);
  h.x_stride = x.stride;
  h.dy = real(dy);
  h.dy_stride = dy.stride;
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
