#include "execute/side_by_side.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <map>
#include <numeric>

namespace lopt {
namespace {

using Kind = TileInstruction::Kind;

constexpr std::int64_t most_rows = 64;  // of a lane; with more, its own vectors are full

bool works_on_elements(const TileInstruction& i) {
  switch (i.kind) {
    case Kind::load:
    case Kind::store:
    case Kind::elementwise:
    case Kind::copy:
    case Kind::zero:
    case Kind::row_sum:
    case Kind::row_max: return i.columns == 1;
    default: return false;
  }
}

SideBySide::Input::Order order_of(const std::vector<std::int64_t>& elements) {
  const auto steps_by = [&](std::int64_t step) {
    for (std::size_t i = 1; i < elements.size(); ++i)
      if (elements[i] != elements[i - 1] + step) return false;
    return true;
  };
  using Order = SideBySide::Input::Order;
  return steps_by(1) ? Order::run : steps_by(0) ? Order::one : Order::any;
}

/// Where the first rows of all lanes' buffers lie one after the other; null where they do not.
std::uint32_t* beside_each_other(std::span<const std::vector<void*>* const> pointers, BufferId buffer,
                                 std::size_t rows) {
  auto* const begin = static_cast<std::uint32_t*>((*pointers[0])[buffer]);
  for (std::size_t lane = 1; lane < pointers.size(); ++lane)
    if ((*pointers[lane])[buffer] != begin + lane * rows) return nullptr;
  return begin;
}

/// A lane's rows of an input, and where the next lane's go. Few elements are copied here: a call would take longer.
std::uint32_t* stage(const SideBySide::Input& input, const std::uint32_t* from, std::uint32_t* to, std::size_t rows) {
  using Order = SideBySide::Input::Order;
  if (input.order == Order::any) {
    for (std::size_t row = 0; row < rows; ++row) to[row] = from[input.elements[row]];
    return to + rows;
  }
  from += input.elements[0];
  if (rows == 1) {
    *to = *from;
  } else if (input.order == Order::one) {
    std::fill_n(to, rows, *from);
  } else {
    std::memcpy(to, from, 4 * rows);
  }
  return to + rows;
}

/// Puts staging columns in the place of a region's buffers.
class Staging {
 public:
  explicit Staging(const Region& region) {
    result_.lane_rows = region.rows;
    result_.region = region;
    Region& wide = result_.region;
    wide.rows = static_cast<std::int64_t>(most_lanes_together) * region.rows;
    wide.tile_rows = wide.block_rows = wide.rows;  // a multiple of 16
    for (Region::Place& group : wide.groups)
      if (group.start >= 0) group = {group.start / region.tile_rows * wide.tile_rows, wide.tile_rows};
    wide.blocks_begin = wide.blocks_end = 0;
    wide.instructions.clear();
    for (const TileInstruction& instruction : region.instructions) add(instruction);
    const std::vector<Buffer> columns(result_.columns);
    result_.bound = bind_instructions(wide, columns);
  }
  SideBySide take() { return std::move(result_); }

 private:
  using Elements = std::vector<std::int64_t>;

  void add(TileInstruction i) {
    if (i.kind == Kind::load) return load(i);
    for (TileOperand& operand : i.operands)
      if (is_in_buffer(operand)) operand = column_operand(column_of(operand.buffer, elements_of(operand)));
    if (i.kind == Kind::row_sum || i.kind == Kind::row_max) return sum(i);
    if (i.kind == Kind::store || i.to_memory) i.buffer = written(i.buffer);
    result_.region.instructions.push_back(std::move(i));
  }

  void load(TileInstruction i) {
    Elements elements;
    for_rows(
        i.rows.lengths, 0, result_.lane_rows, [&](std::int64_t at) { elements.push_back(at + i.offsets[0]); },
        std::span<const std::int64_t>(i.rows.strides));
    TileInstruction copy;
    copy.kind = Kind::copy;
    copy.group = i.group;
    copy.inner = 0;
    copy.operands = {column_operand(column_of(i.buffer, elements))};
    result_.region.instructions.push_back(std::move(copy));
  }

  void sum(const TileInstruction& i) {
    const TileOperand& operand = i.operands[0];
    std::size_t column = operand.buffer;
    if (operand.kind == TileOperand::Kind::tile) {
      column = result_.columns++;
      TileInstruction store;
      store.kind = Kind::store;
      store.operands = {operand};
      store.buffer = static_cast<BufferId>(column);
      result_.region.instructions.push_back(std::move(store));
    }
    // Sums are taken behind the region, which may have written over what it read: of an input they want a copy.
    for (SideBySide::Input& input : result_.inputs)
      if (input.column == column) input.order = SideBySide::Input::Order::any;
    result_.sums.push_back({column, i.buffer, i.kind == Kind::row_max});
  }

  static TileOperand column_operand(std::size_t column) {
    return {.kind = TileOperand::Kind::stream, .buffer = static_cast<BufferId>(column)};
  }
  Elements elements_of(const TileOperand& operand) const {
    Elements elements(static_cast<std::size_t>(result_.lane_rows), operand.first);
    if (operand.kind == TileOperand::Kind::stream) std::iota(elements.begin(), elements.end(), operand.first);
    return elements;
  }
  /// The column with these elements of a buffer.
  std::size_t column_of(BufferId buffer, Elements elements) {
    auto [found, added] = columns_.try_emplace({buffer, elements}, result_.columns);
    if (added) {
      const auto order = order_of(elements);
      result_.inputs.push_back({result_.columns++, buffer, std::move(elements), order});
    }
    return found->second;
  }
  /// The column that becomes a buffer, whose rows are read from there from now on.
  BufferId written(BufferId buffer) {
    Elements all(static_cast<std::size_t>(result_.lane_rows));
    std::iota(all.begin(), all.end(), 0);
    columns_[{buffer, all}] = result_.columns;
    result_.outputs.push_back({result_.columns, buffer});
    return static_cast<BufferId>(result_.columns++);
  }

  SideBySide result_;
  std::map<std::pair<BufferId, Elements>, std::size_t> columns_;
};

}  // namespace

std::size_t SideBySide::bytes() const {
  return 4 * (columns * column_words() + static_cast<std::size_t>(region.scratch_words()) + 16);
}

std::optional<SideBySide> side_by_side(const Region& region) {
  if (region.rows > most_rows || region.chunks != 1 || region.blocks_begin < region.blocks_end) return std::nullopt;
  if (!std::all_of(region.instructions.begin(), region.instructions.end(), works_on_elements)) return std::nullopt;
  return Staging(region).take();
}

void run_side_by_side(const SideBySide& together, std::span<const std::vector<void*>* const> pointers,
                      std::byte* memory, TileMemory& tile) {
  const auto rows = static_cast<std::size_t>(together.lane_rows);
  auto* const staging = reinterpret_cast<std::uint32_t*>(memory);
  tile.pointers.resize(together.columns);
  for (std::size_t i = 0; i < together.columns; ++i) tile.pointers[i] = staging + i * together.column_words();
  const auto staged = [&](std::size_t column) { return staging + column * together.column_words(); };
  for (const SideBySide::Input& input : together.inputs) {
    if (input.order == SideBySide::Input::Order::run && input.elements[0] == 0) {
      tile.pointers[input.column] = beside_each_other(pointers, input.buffer, rows);
      if (tile.pointers[input.column]) continue;
    }
    tile.pointers[input.column] = staged(input.column);
    auto* to = staged(input.column);
    for (const std::vector<void*>* lane : pointers)
      to = stage(input, static_cast<const std::uint32_t*>((*lane)[input.buffer]), to, rows);
  }
  for (const SideBySide::Output& output : together.outputs) {
    void* const own = beside_each_other(pointers, output.buffer, rows);
    tile.pointers[output.column] = own ? own : staged(output.column);
  }
  TileRunner runner(together.region, together.bound, tile.pointers,
                    {memory, memory + 4 * together.columns * together.column_words()}, tile);
  runner.run(0, static_cast<std::int64_t>(pointers.size() * rows));
  for (const SideBySide::Output& output : together.outputs) {
    const auto* from = static_cast<const std::uint32_t*>(tile.pointers[output.column]);
    if (from != staged(output.column)) continue;
    for (const std::vector<void*>* lane : pointers) {
      auto* const to = static_cast<std::uint32_t*>((*lane)[output.buffer]);
      if (rows == 1)
        *to = *from;
      else
        std::memcpy(to, from, 4 * rows);
      from += rows;
    }
  }
  for (const SideBySide::Sum& sum : together.sums) {
    const auto* from = static_cast<const float*>(tile.pointers[sum.column]);
    for (const std::vector<void*>* lane : pointers) {
      auto* const to = static_cast<float*>((*lane)[sum.buffer]);
      *to = sum.maximum ? -std::numeric_limits<float>::infinity() : 0.0F;
      (sum.maximum ? kernels::sums().row_max : kernels::sums().row_sum)(from, 0, 1, to, rows);
      from += rows;
    }
  }
}

}  // namespace lopt
