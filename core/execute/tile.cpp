#include "execute/tile.h"

#include <algorithm>
#include <cstring>

namespace lopt {
namespace {

using Kind = TileInstruction::Kind;
const float* real(const Columns& columns) { return static_cast<const float*>(columns.data); }
std::size_t size(std::int64_t n) { return static_cast<std::size_t>(n); }

/// Calls f(first element, its stride, how many) for the rows [begin, end) of a pattern, run by run of its innermost
/// dimension.
template <class Function>
void for_runs(const RowPattern& rows, const std::uint32_t* from, std::int64_t begin, std::int64_t end, Function f) {
  if (rows.lengths.size() == 1) return f(from + begin * rows.strides[0], rows.strides[0], end - begin);
  const std::int64_t length = rows.lengths.back(), stride = rows.strides.back();
  const std::size_t outer = rows.lengths.size() - 1;
  std::int64_t row = begin;
  for_rows(
      std::span(rows.lengths).first(outer), begin / length, (end + length - 1) / length,
      [&](std::int64_t at) {
        const std::int64_t start = row % length, count = std::min(length - start, end - row);
        f(from + at + start * stride, stride, count);
        row += count;
      },
      std::span(rows.strides).first(outer));
}

/// Sets a pointer to data of any type.
void set(void* pointer, const void* to) { std::memcpy(pointer, &to, sizeof to); }

/// How many columns from `first` on, below `end`, lie one element apart.
std::int64_t adjacent(const std::vector<std::int64_t>& offsets, std::int64_t first, std::int64_t end) {
  std::int64_t count = 1;
  while (first + count < end && offsets[size(first + count)] == offsets[size(first)] + count) ++count;
  return count;
}

}  // namespace

void TileRunner::move(const std::vector<TileMemory::InBuffer>& list, std::int64_t row) const {
  for (const auto& [pointer, buffer, element] : list)
    set(pointer, static_cast<const std::uint32_t*>(pointers_[buffer]) + element + row);
}

void TileRunner::run(std::int64_t first, std::int64_t end) {
  auto rows_from = [](std::int64_t row, std::int64_t count) { return Rows{row, count, size((count + 15) / 16 * 16)}; };
  end = std::min(first + region_.tile_rows, end);
  const Rows rows = rows_from(first, end - first);
  move(memory_.with_tiles, first);
  run(0, region_.blocks_begin, rows);
  if (region_.blocks_begin < region_.blocks_end)
    for (std::int64_t row = first; row < end; row += region_.block_rows) {
      move(memory_.with_blocks, row);
      for (const auto& [pointer, base] : memory_.with_blocks_of_tiles) set(pointer, base + (row - first));
      run(region_.blocks_begin, region_.blocks_end, rows_from(row, std::min(region_.block_rows, end - row)));
    }
  run(region_.blocks_end, region_.instructions.size(), rows);
}

void TileRunner::run(std::size_t begin, std::size_t end, const Rows& rows) const {
  for (std::size_t k = begin; k < end;) {
    const std::size_t together = bound_.sequences[k].instructions;
    if (together > 0)
      kernels::run_sequence(memory_.sequences[k], rows.vectors_of);
    else
      run(k, rows);
    k += std::max<std::size_t>(together, 1);
  }
}

void TileRunner::run(std::size_t k, const Rows& rows) const {
  const TileInstruction& i = region_.instructions[k];
  const TileMemory::Operands& operands = memory_.operands[k];
  const Columns& in = operands.in[0];
  auto* const out = reinterpret_cast<float*>(operands.out);
  auto* const sum = static_cast<float*>(pointers_[i.buffer]);
  switch (i.kind) {
    case Kind::load: return load(i, operands, rows);
    case Kind::store: return store(i, operands, rows);
    case Kind::elementwise: return run_loop(i, operands, rows);
    case Kind::copy:
      if (in.uniform)
        std::fill_n(operands.out, rows.vectors_of, *static_cast<const std::uint32_t*>(in.data));
      else
        std::memcpy(operands.out, in.data, rows.vectors_of * 4);
      return;
    case Kind::zero: return static_cast<void>(std::memset(operands.out, 0, rows.vectors_of * 4));
    case Kind::dense: {
      kernels::Layer dense = layer(i.layers[0]);
      if (!i.right.empty()) dense.gate = columns(operands.right);
      return kernels::layers().dense(columns(operands.columns), dense, out, operands.out_stride, rows.vectors_of);
    }
    case Kind::chain:
      return kernels::layers().chain(columns(operands.columns), layer(i.layers[0]), layer(i.layers[1]), out,
                                     operands.out_stride, rows.vectors_of);
    case Kind::column_reduction: {
      const auto kernel = i.primitive->name == "sum" ? kernels::sums().column_sum : kernels::sums().column_max;
      return kernel(real(in), in.stride, size(i.inner), out, rows.vectors_of);
    }
    case Kind::row_sum: return kernels::sums().row_sum(real(in), in.stride, size(i.columns), sum, size(rows.count));
    case Kind::row_max: return kernels::sums().row_max(real(in), in.stride, size(i.columns), sum, size(rows.count));
    case Kind::outer:
      return kernels::sums().outer(columns(operands.columns), size(i.inner), columns(operands.right), size(i.columns),
                                   sum, size(rows.count));
    case Kind::hidden_backward: return hidden_backward(i, operands, rows);
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

void TileRunner::load(const TileInstruction& i, const TileMemory::Operands& operands, const Rows& rows) const {
  const auto* from = static_cast<const std::uint32_t*>(pointers_[i.buffer]);
  const auto end = static_cast<std::int64_t>(i.offsets.size());
  for (std::int64_t first = 0, columns = 0; first < end; first += columns) {
    columns = adjacent(i.offsets, first, end);
    std::uint32_t* to = operands.out + first * operands.out_stride;
    const std::uint32_t* const start = from + i.offsets[size(first)];
    auto runs = [&](auto copy) {
      for_runs(i.rows, start, rows.first, rows.first + rows.count,
               [&](const std::uint32_t* run, std::int64_t stride, std::int64_t count) {
                 copy(run, stride, count);
                 to += count;
               });
    };
    const std::int64_t inner = i.rows.strides.back();
    if (columns > 1)
      runs([&](const std::uint32_t* run, std::int64_t stride, std::int64_t count) {
        kernels::transpose(run, stride, to, operands.out_stride, size(count), size(columns));
      });
    else if (i.rows.lengths.size() == 2 && (inner == 0 || inner == 1))
      kernels::fill_runs(start + rows.first / i.rows.lengths[1] * i.rows.strides[0], i.rows.strides[0],
                         size(i.rows.lengths[1]), size(rows.first % i.rows.lengths[1]), inner == 0, to,
                         size(rows.count));
    else if (inner == 1)
      runs([&](const std::uint32_t* run, std::int64_t, std::int64_t count) { std::copy_n(run, count, to); });
    else if (inner == 0)
      runs([&](const std::uint32_t* run, std::int64_t, std::int64_t count) { std::fill_n(to, count, *run); });
    else
      runs([&](const std::uint32_t* run, std::int64_t stride, std::int64_t count) {
        for (std::int64_t k = 0; k < count; ++k) to[k] = run[k * stride];
      });
  }
}

void TileRunner::store(const TileInstruction& i, const TileMemory::Operands& operands, const Rows& rows) const {
  const Columns& from = operands.in[0];
  auto* to = static_cast<std::uint32_t*>(pointers_[i.buffer]) + rows.first * i.columns;
  if (!from.uniform && i.columns > 1)
    return kernels::transpose(static_cast<const std::uint32_t*>(from.data), from.stride, to, i.columns, size(i.columns),
                              size(rows.count));
  for (std::int64_t c = 0; c < i.columns; ++c) {
    const std::uint32_t* column = static_cast<const std::uint32_t*>(from.data) + c * from.stride;
    if (from.uniform)
      for (std::int64_t r = 0; r < rows.count; ++r) to[r * i.columns + c] = *column;
    else if (operands.streams)
      kernels::stream(column, to, size(rows.count));
    else
      std::memcpy(to, column, size(rows.count) * 4);
  }
}

void TileRunner::run_loop(const TileInstruction& i, const TileMemory::Operands& operands, const Rows& rows) const {
  for (std::int64_t c = 0; c < i.columns; ++c) {
    const void* columns[3] = {};
    for (std::size_t k = 0; k < i.operands.size(); ++k) {
      const Columns& in = operands.in[k];
      const auto* column = static_cast<const std::uint32_t*>(in.data) + c * in.stride;
      columns[k] = column;
      if (in.uniform) {
        std::uint32_t* same = scratch_ + region_.loop_scratch() + static_cast<std::int64_t>(k) * region_.tile_rows;
        std::fill_n(same, rows.count, *column);
        columns[k] = same;
      }
    }
    i.primitive->loop(i.dtype, i.result_dtype, columns, operands.out + c * operands.out_stride, size(rows.count));
  }
}

void TileRunner::hidden_backward(const TileInstruction& i, const TileMemory::Operands& operands,
                                 const Rows& rows) const {
  kernels::HiddenBackward h;
  h.x = columns(operands.columns);
  h.dy = columns(operands.right);
  h.dx = reinterpret_cast<float*>(operands.out);
  h.dx_stride = operands.out_stride;
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
  kernels::hidden_backward(h, size(rows.count));
}

}  // namespace lopt
