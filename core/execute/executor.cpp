#include "execute/executor.h"

#include "execute/reference.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <new>

namespace lopt {
namespace {

constexpr std::align_val_t alignment{64};

void grow(std::shared_ptr<std::byte>& memory, std::size_t& have, std::size_t want) {
  if (want <= have) return;
  memory.reset();
  memory = {static_cast<std::byte*>(::operator new(want + 64, alignment)),
            [](std::byte* p) { ::operator delete(p, alignment); }};
  std::memset(memory.get(), 0, want + 64);
  have = want;
}

/// Calls f(position in memory) for each row of [begin, end) in order.
template <class Function>
void for_rows(const RowPattern& pattern, std::int64_t begin, std::int64_t end, Function f) {
  const std::size_t rank = pattern.lengths.size();
  Shape index(rank);
  std::int64_t at = 0, rest = begin;
  for (std::size_t i = rank; i-- > 0; rest /= pattern.lengths[i]) {
    index[i] = rest % pattern.lengths[i];
    at += index[i] * pattern.strides[i];
  }
  for (std::int64_t row = begin; row < end; ++row) {
    f(at);
    for (std::size_t i = rank; i-- > 0;) {
      at += pattern.strides[i];
      if (++index[i] < pattern.lengths[i]) break;
      at -= index[i] * pattern.strides[i];
      index[i] = 0;
    }
  }
}

void copy_view(const View& from, const std::uint32_t* source, const View& to, std::uint32_t* target) {
  const std::int64_t count = element_count(from.shape);
  source += from.offset;
  target += to.offset;
  if (from.contiguous() && to.contiguous()) {
    std::memcpy(target, source, static_cast<std::size_t>(count) * 4);
    return;
  }
  const std::size_t inner = from.shape.size() - 1;  // a scalar is contiguous
  const std::int64_t length = from.shape[inner], step = from.strides[inner], to_step = to.strides[inner];
  if (length == 0) return;
  RowPattern rows{Shape(from.shape.begin(), from.shape.end() - 1), Shape(from.strides.begin(), from.strides.end() - 1)};
  RowPattern to_rows{rows.lengths, Shape(to.strides.begin(), to.strides.end() - 1)};
  std::vector<std::int64_t> starts;
  for_rows(to_rows, 0, count / length, [&](std::int64_t at) { starts.push_back(at); });
  std::size_t row = 0;
  for_rows(rows, 0, count / length, [&](std::int64_t at) {
    std::uint32_t* t = target + starts[row++];
    for (std::int64_t i = 0; i < length; ++i) t[i * to_step] = source[at + i * step];
  });
}

template <class T>
void reduce_integers(const Reduction& r, const T* from, T* to) {
  for (std::int64_t o = 0; o < r.outer; ++o)
    for (std::int64_t i = 0; i < r.inner; ++i) {
      const T* x = from + o * r.reduced * r.inner + i;
      T result = *x;
      for (std::int64_t k = 1; k < r.reduced; ++k) {
        const T next = x[k * r.inner];
        result = r.maximum ? std::max(result, next)
                           : static_cast<T>(static_cast<std::uint32_t>(result) + static_cast<std::uint32_t>(next));
      }
      to[o * r.inner + i] = result;
    }
}

void run_reduction(const Reduction& r, const void* from, void* to) {
  const auto outer = static_cast<std::size_t>(r.outer), reduced = static_cast<std::size_t>(r.reduced),
             inner = static_cast<std::size_t>(r.inner);
  if (r.dtype == DType::float32)
    (r.maximum ? kernels::table().reduce_max : kernels::table().reduce_sum)(
        static_cast<const float*>(from), static_cast<float*>(to), outer, reduced, inner);
  else if (r.dtype == DType::int32)
    reduce_integers(r, static_cast<const std::int32_t*>(from), static_cast<std::int32_t*>(to));
  else
    reduce_integers(r, static_cast<const std::uint32_t*>(from), static_cast<std::uint32_t*>(to));
}

void run_gemm(const Gemm& gemm, const std::vector<void*>& pointers) {
  const auto* a = static_cast<const float*>(pointers[gemm.a.buffer]) + gemm.a.offset;
  const auto* b = static_cast<const float*>(pointers[gemm.b.buffer]) + gemm.b.offset;
  const std::int64_t k = gemm.b.shape[0], n = gemm.b.shape[1];
  std::int64_t b_row = gemm.b.strides[0];
  if (gemm.pack) {
    auto* packed = static_cast<float*>(pointers[gemm.packed]);
    for (std::int64_t j = 0; j < n; ++j)
      for (std::int64_t i = 0; i < k; ++i) packed[i * n + j] = b[i * gemm.b.strides[0] + j * gemm.b.strides[1]];
    b = packed;
    b_row = n;
  }
  kernels::table().matrix_product({static_cast<std::size_t>(gemm.a.shape[0]), static_cast<std::size_t>(n),
                                   static_cast<std::size_t>(k), a, gemm.a.strides[0], gemm.a.strides[1], b, b_row,
                                   static_cast<float*>(pointers[gemm.c])});
}

}  // namespace

void Arena::reserve(const Plan& plan) {
  grow(values_, value_bytes_, plan.arena_bytes);
  // Behind the scratch columns: room for two operands of loops that take whole columns.
  grow(scratch_, scratch_bytes_, plan.scratch_bytes + 4 * 512 * 4);
  if (pointers_.size() < plan.buffers.size()) pointers_.resize(plan.buffers.size());
}

namespace {

/// One region on one tile.
class Tile {
 public:
  Tile(const Region& region, const std::vector<void*>& pointers, std::byte* scratch, std::int64_t first_row)
      : region_(region),
        pointers_(pointers),
        scratch_(reinterpret_cast<std::uint32_t*>(scratch)),
        first_(first_row),
        count_(std::min(region.tile_rows, region.rows - first_row)),
        rows_(static_cast<std::size_t>((count_ + 15) / 16 * 16)) {}

  void run(const TileInstruction& i, kernels::Elementwise kernel) const {
    using Kind = TileInstruction::Kind;
    const kernels::Table& table = kernels::table();
    const auto columns = static_cast<std::size_t>(i.columns);
    const auto count = static_cast<std::size_t>(count_);
    switch (i.kind) {
      case Kind::load: return load(i);
      case Kind::store: return store(i);
      case Kind::elementwise: return elementwise(i, kernel);
      case Kind::copy: return copy(i);
      case Kind::zero: return static_cast<void>(std::memset(result(i), 0, rows_ * 4));
      case Kind::dense: {
        const kernels::Columns x = operand(i.operands[0]);
        return table.dense(static_cast<const float*>(x.data), x.stride, layer(i.layers[0]), real_result(i),
                           region_.tile_rows, rows_);
      }
      case Kind::chain: {
        const kernels::Columns x = operand(i.operands[0]);
        return table.chain(static_cast<const float*>(x.data), x.stride, layer(i.layers[0]), layer(i.layers[1]),
                           real_result(i), region_.tile_rows, rows_);
      }
      case Kind::column_reduction: {
        const kernels::Columns x = operand(i.operands[0]);
        return (i.primitive->name == "sum" ? table.column_sum : table.column_max)(
            static_cast<const float*>(x.data), x.stride, static_cast<std::size_t>(i.inner), real_result(i), rows_);
      }
      case Kind::row_sum: {
        const kernels::Columns x = operand(i.operands[0]);
        return table.row_sum(static_cast<const float*>(x.data), x.stride, columns,
                             static_cast<float*>(pointers_[i.buffer]), count);
      }
      case Kind::outer: {
        const kernels::Columns a = operand(i.operands[0]), b = operand(i.operands[1]);
        return table.outer(static_cast<const float*>(a.data), a.stride, static_cast<std::size_t>(i.inner),
                           static_cast<const float*>(b.data), b.stride, columns,
                           static_cast<float*>(pointers_[i.buffer]), count);
      }
    }
  }

 private:
  std::uint32_t* group(std::uint32_t g, std::int64_t column) const {
    return scratch_ + (region_.group_start[g] + column) * region_.tile_rows;
  }
  std::uint32_t* result(const TileInstruction& i) const { return group(i.group, 0); }
  float* real_result(const TileInstruction& i) const { return reinterpret_cast<float*>(result(i)); }

  kernels::Columns operand(const TileOperand& o) const {
    if (o.kind == TileOperand::Kind::tile) return {group(o.group, o.first), o.step * region_.tile_rows, false};
    const auto* base = static_cast<const std::uint32_t*>(pointers_[o.buffer]) + o.first;
    if (o.kind == TileOperand::Kind::uniform) return {base, o.step, true};
    return {base + first_, o.step, false};
  }
  kernels::Layer layer(const DenseLayer& l) const {
    kernels::Layer result{static_cast<const float*>(pointers_[l.weights]) + l.offset,
                          l.row_stride,
                          l.column_stride,
                          static_cast<std::size_t>(l.inputs),
                          static_cast<std::size_t>(l.outputs),
                          nullptr,
                          0,
                          l.relu};
    if (l.has_bias) {
      result.bias = static_cast<const float*>(pointers_[l.bias.buffer]) + l.bias.first;
      result.bias_stride = l.bias.step;
    }
    return result;
  }

  void load(const TileInstruction& i) const {
    const auto* from = static_cast<const std::uint32_t*>(pointers_[i.buffer]);
    if (i.rows.lengths.size() == 1) {
      const std::int64_t stride = i.rows.strides[0];
      for (std::size_t c = 0; c < i.offsets.size(); ++c) {
        const std::uint32_t* column = from + i.offsets[c] + first_ * stride;
        std::uint32_t* to = group(i.group, static_cast<std::int64_t>(c));
        for (std::int64_t r = 0; r < count_; ++r) to[r] = column[r * stride];
      }
      return;
    }
    for (std::size_t c = 0; c < i.offsets.size(); ++c) {
      std::uint32_t* to = group(i.group, static_cast<std::int64_t>(c));
      for_rows(i.rows, first_, first_ + count_, [&](std::int64_t at) { *to++ = from[i.offsets[c] + at]; });
    }
  }

  void store(const TileInstruction& i) const {
    const kernels::Columns from = operand(i.operands[0]);
    auto* to = static_cast<std::uint32_t*>(pointers_[i.buffer]) + first_ * i.columns;
    for (std::int64_t c = 0; c < i.columns; ++c) {
      const std::uint32_t* column = static_cast<const std::uint32_t*>(from.data) + c * from.stride;
      if (from.uniform) {
        for (std::int64_t r = 0; r < count_; ++r) to[r * i.columns + c] = *column;
      } else if (i.columns == 1) {
        std::memcpy(to, column, static_cast<std::size_t>(count_) * 4);
      } else {
        for (std::int64_t r = 0; r < count_; ++r) to[r * i.columns + c] = column[r];
      }
    }
  }

  void copy(const TileInstruction& i) const {
    const kernels::Columns from = operand(i.operands[0]);
    const auto* source = static_cast<const std::uint32_t*>(from.data);
    std::uint32_t* to = group(i.group, i.inner);
    if (from.uniform)
      std::fill_n(to, rows_, *source);
    else
      std::memcpy(to, source, rows_ * 4);
  }

  void elementwise(const TileInstruction& i, kernels::Elementwise kernel) const {
    kernels::Columns inputs[3];
    for (std::size_t k = 0; k < i.operands.size(); ++k) inputs[k] = operand(i.operands[k]);
    if (kernel) return kernel(inputs, result(i), region_.tile_rows, static_cast<std::size_t>(i.columns), rows_);
    for (std::int64_t c = 0; c < i.columns; ++c) {
      const void* columns[3] = {};
      for (std::size_t k = 0; k < i.operands.size(); ++k) {
        const auto* column = static_cast<const std::uint32_t*>(inputs[k].data) + c * inputs[k].stride;
        columns[k] = column;
        if (inputs[k].uniform) {
          std::uint32_t* spread =
              scratch_ + region_.scratch_columns * region_.tile_rows + static_cast<std::int64_t>(k) * 512;
          std::fill_n(spread, rows_, *column);
          columns[k] = spread;
        }
      }
      i.primitive->loop(i.dtype, i.result_dtype, columns, group(i.group, c), rows_);
    }
  }

  const Region& region_;
  const std::vector<void*>& pointers_;
  std::uint32_t* scratch_;
  std::int64_t first_, count_;
  std::size_t rows_;
};

}  // namespace

Executable::Executable(Plan plan) : plan_(std::move(plan)) {
  for (const Kernel& kernel : plan_.kernels) {
    bound_.emplace_back();
    if (const auto* region = std::get_if<Region>(&kernel))
      for (const TileInstruction& i : region->instructions)
        bound_.back().push_back({i.kind == TileInstruction::Kind::elementwise
                                     ? kernels::find_elementwise(i.primitive->name, i.dtype, i.result_dtype)
                                     : nullptr});
  }
}

void Executable::run_region(const Region& region, const std::vector<BoundInstruction>& bound, Arena& arena) const {
  const std::vector<void*>& pointers = arena.pointers();
  for (const TileInstruction& i : region.instructions)
    if (i.kind == TileInstruction::Kind::row_sum || i.kind == TileInstruction::Kind::outer)
      std::memset(pointers[i.buffer], 0, plan_.buffers[i.buffer].size * 4);
  for (std::int64_t row = 0; row < region.rows; row += region.tile_rows) {
    const Tile tile(region, pointers, arena.scratch(), row);
    for (std::size_t k = 0; k < region.instructions.size(); ++k) tile.run(region.instructions[k], bound[k].kernel);
  }
}

void Executable::run(std::span<const void* const> inputs, std::span<void* const> outputs, Arena& arena) const {
  arena.reserve(plan_);
  std::vector<void*>& pointers = arena.pointers();
  for (std::size_t i = 0; i < plan_.buffers.size(); ++i) {
    const Buffer& buffer = plan_.buffers[i];
    switch (buffer.place) {
      case Buffer::Place::input: pointers[i] = const_cast<void*>(inputs[buffer.index]); break;
      case Buffer::Place::output: pointers[i] = outputs[buffer.index]; break;
      case Buffer::Place::constant: pointers[i] = const_cast<void*>(plan_.constants[buffer.index].data()); break;
      case Buffer::Place::arena: pointers[i] = arena.values() + buffer.offset; break;
    }
  }
  auto words = [&](BufferId buffer) { return static_cast<std::uint32_t*>(pointers[buffer]); };
  for (std::size_t k = 0; k < plan_.kernels.size(); ++k) {
    std::visit(
        [&]<class K>(const K& kernel) {
          if constexpr (std::is_same_v<K, Region>)
            run_region(kernel, bound_[k], arena);
          else if constexpr (std::is_same_v<K, Gemm>)
            run_gemm(kernel, pointers);
          else if constexpr (std::is_same_v<K, Reduction>)
            run_reduction(kernel, pointers[kernel.from], pointers[kernel.to]);
          else if constexpr (std::is_same_v<K, Copy>)
            copy_view(kernel.from, words(kernel.from.buffer), kernel.to, words(kernel.to.buffer));
          else if constexpr (std::is_same_v<K, Fill>)
            std::memset(pointers[kernel.to], 0, plan_.buffers[kernel.to].size * 4);
          else if constexpr (std::is_same_v<K, RandomBits>) {
            const std::uint32_t* key = words(kernel.key.buffer) + kernel.key.offset;
            kernels::random_bits(key[0], key[kernel.key.strides[0]], words(kernel.to), plan_.buffers[kernel.to].size);
          } else {
            std::vector<const void*> arguments;
            for (BufferId input : kernel.inputs) arguments.push_back(pointers[input]);
            evaluate_operation(kernel.operation, kernel.types, arguments, pointers[kernel.to]);
          }
        },
        plan_.kernels[k]);
  }
}

std::vector<Array> Executable::run(std::span<const Array> inputs) const {
  if (inputs.size() != plan_.input_types.size())
    throw std::invalid_argument(
        fmt::format("{} takes {} inputs, not {}", plan_.name, plan_.input_types.size(), inputs.size()));
  std::vector<const void*> in;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].type() != plan_.input_types[i])
      throw std::invalid_argument(fmt::format("{}: input {} is {}, not {}", plan_.name, i, to_text(inputs[i].type()),
                                              to_text(plan_.input_types[i])));
    in.push_back(inputs[i].data());
  }
  std::vector<Array> results;
  std::vector<void*> out;
  for (const Type& type : plan_.output_types) results.emplace_back(type);
  for (Array& result : results) out.push_back(result.mutable_data());
  Arena arena;
  run(in, out, arena);
  return results;
}

Executable compile(const Program& program) { return Executable(make_plan(program)); }

}  // namespace lopt
