#pragma once
// Runs the instructions of a region on one tile of rows.

#include "kernels/kernels.h"
#include "plan/plan.h"

#include <array>
#include <span>
#include <tuple>

namespace lopt {

/// Calls f(position in memory…) for each row of [begin, end), in order: a position for each of the strides, over
/// lengths in row-major order.
template <class Function, class... Strides>
void for_rows(std::span<const std::int64_t> lengths, std::int64_t begin, std::int64_t end, Function f,
              Strides... strides) {
  constexpr std::size_t few = 8;  // dimensions, for which nothing is allocated
  const std::size_t rank = lengths.size();
  std::array<std::int64_t, few> on_stack{};
  std::vector<std::int64_t> on_heap(rank > few ? rank : 0);
  std::int64_t* const index = rank > few ? on_heap.data() : on_stack.data();
  std::array<std::int64_t, sizeof...(Strides)> at{};
  const std::array<std::span<const std::int64_t>, sizeof...(Strides)> steps{strides...};
  auto move = [&](std::size_t dimension, std::int64_t by) {
    for (std::size_t k = 0; k < at.size(); ++k) at[k] += by * steps[k][dimension];
  };
  std::int64_t rest = begin;
  for (std::size_t i = rank; i-- > 0; rest /= lengths[i]) {
    index[i] = rest % lengths[i];
    move(i, index[i]);
  }
  for (std::int64_t row = begin; row < end; ++row) {
    std::apply(f, at);
    for (std::size_t i = rank; i-- > 0;) {
      move(i, 1);
      if (++index[i] < lengths[i]) break;
      move(i, -index[i]);
      index[i] = 0;
    }
  }
}

/// What running a region's instructions needs to look up only once.
struct BoundInstructions {
  /// Elementwise instructions that run together.
  struct Sequence {
    std::size_t first_step = 0;
    std::size_t instructions = 0;  // 0: the instruction is none that has kernels
  };
  std::vector<Sequence> sequences;              // by instruction; of those that go on with the one before, nothing
  std::vector<kernels::ElementwiseStep> steps;  // without addresses
  std::size_t layer_columns = 0;                // of all operands of layers
  std::vector<bool> stays;                      // by buffer: it lies where it lay as long as the arena does
};
BoundInstructions bind_instructions(const Region& region, const std::vector<Buffer>& buffers);

/// Columns of one value of a tile: column j at data + j · stride, or one element for all rows.
struct Columns {
  const void* data = nullptr;
  std::ptrdiff_t stride = 0;  // elements
  bool uniform = false;
};

/// Where the operands of a region's instructions lie; a thread's own, kept between runs.
struct TileMemory {
  struct Operands {
    std::array<Columns, 3> in;     // of most instructions
    std::uint32_t* out = nullptr;  // the result's columns
    std::int64_t out_stride = 0;
    std::size_t columns = 0, right = 0;  // of layers: where in `columns` their operands begin
    bool streams = false;                // of stores: past the caches
  };
  /// A pointer into scratch that moves on with the rows of a tile; `pointer` is where it is kept, whatever its type.
  struct InTile {
    void* pointer;
    const std::uint32_t* base;
  };
  /// A pointer into a buffer, which may lie elsewhere in the next run.
  struct InBuffer {
    void* pointer;
    BufferId buffer;
    std::int64_t element;
  };
  std::vector<void*> pointers;  // where each buffer lies for a chunk: with its own parts of sums
  const std::byte *values = nullptr, *scratch = nullptr;  // for which all that follows was found
  std::vector<Operands> operands;                         // by instruction
  std::vector<const float*> columns;                      // each column of the operands of layers
  std::vector<kernels::ElementwiseStep> steps;
  std::vector<kernels::Sequence> sequences;  // by instruction
  std::vector<InBuffer> fixed;               // what does not move with the rows, but may in the next run
  std::vector<InBuffer> with_tiles;          // rows of a buffer, of instructions of tiles
  std::vector<InBuffer> with_blocks;         // and of instructions of blocks
  std::vector<InTile> with_blocks_of_tiles;  // rows of a tile, of instructions of blocks
};

/// Runs the instructions of a region on tiles of rows, one after the other.
class TileRunner {
 public:
  /// Memory of an arena: its values, and scratch for one chunk.
  struct Place {
    const std::byte* values;
    std::byte* scratch;
  };
  /// `pointers` says where each buffer lies.
  TileRunner(const Region& region, const BoundInstructions& bound, const std::vector<void*>& pointers,
             const Place& place, TileMemory& memory);
  /// The tile that begins at row `first`, up to row `end` at most.
  void run(std::int64_t first, std::int64_t end);

 private:
  struct Rows {
    std::int64_t first, count;
    std::size_t vectors_of;  // count, up to whole vectors
  };
  void run(std::size_t begin, std::size_t end, const Rows& rows) const;
  void run(std::size_t k, const Rows& rows) const;
  void load(const TileInstruction& i, const TileMemory::Operands& operands, const Rows& rows) const;
  void store(const TileInstruction& i, const TileMemory::Operands& operands, const Rows& rows) const;
  void run_loop(const TileInstruction& i, const TileMemory::Operands& operands, const Rows& rows) const;
  void hidden_backward(const TileInstruction& i, const TileMemory::Operands& operands, const Rows& rows) const;

  void find_operands(std::size_t k);
  void find_steps(std::size_t k);
  /// What is stored past the caches: not what lies where the region reads, for that is in the caches already.
  void find_streams();
  std::size_t add_columns(const std::vector<TileOperand>& list, std::int64_t count, bool in_blocks);
  Columns columns_of(const TileOperand& o) const;
  /// Notes what changes a pointer: to a column `element` elements on from the operand's first, now at `base`.
  void note(void* pointer, const void* base, const TileOperand& o, std::int64_t element, bool in_blocks);
  void move(const std::vector<TileMemory::InBuffer>& list, std::int64_t row) const;

  std::uint32_t* group(std::uint32_t g, std::int64_t column) const {
    return scratch_ + region_.groups[g].start + column * region_.groups[g].rows;
  }
  const float* const* columns(std::size_t at) const { return memory_.columns.data() + at; }
  kernels::Layer layer(const DenseLayer& l) const;

  const Region& region_;
  const BoundInstructions& bound_;
  const std::vector<void*>& pointers_;
  std::uint32_t* scratch_;
  TileMemory& memory_;
};

}  // namespace lopt
