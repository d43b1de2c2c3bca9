#pragma once
// Runs the instructions of a region on one tile of rows.

#include "kernels/kernels.h"
#include "plan/plan.h"

#include <array>

namespace lopt {

/// Calls f(position in memory) for each row of [begin, end), in order.
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

/// Whether what a region stores is larger than caches keep until it is read again.
inline bool is_streamed(const Region& region) { return region.rows >= (std::int64_t{1} << 20U); }

/// What running a region's instructions needs to look up only once.
struct BoundInstructions {
  struct Uniform {
    BufferId buffer;
    std::int64_t element;
  };
  std::vector<kernels::Elementwise>
      kernels;                    // by instruction; null where a primitive has none and runs through its loop
  std::vector<Uniform> uniforms;  // elements that are the same for all rows and columns of an operand
  std::vector<std::array<int, 3>> uniform_of;  // by instruction and operand: which of them; −1: none
  std::size_t layer_columns = 0;               // of all operands of layers
};
BoundInstructions bind_instructions(const Region& region);

/// Where the operands of a region's instructions lie; a thread's own, kept between runs.
struct TileMemory {
  struct Operands {
    std::array<kernels::Columns, 3> in;  // of most instructions
    std::size_t columns = 0;             // of layers: where in `columns` their operands begin
    std::size_t right = 0;
  };
  std::vector<Operands> operands;     // by instruction
  std::vector<const float*> columns;  // each column of the operands of layers
  std::vector<std::array<std::uint32_t, kernels::spread_size>> spread;
  std::vector<kernels::Columns*> stream_operands;  // what moves on with the rows
  std::vector<const float**> stream_columns;
};

/// Runs the instructions of a region on tiles of rows, one after the other.
class TileRunner {
 public:
  /// Begins at row `first`. `pointers` says where each buffer lies.
  TileRunner(const Region& region, const BoundInstructions& bound, const std::vector<void*>& pointers,
             std::byte* scratch, TileMemory& memory, std::int64_t first);
  /// The next tile.
  void run();
  std::int64_t next_row() const { return first_; }

 private:
  void find_operands(std::size_t k);
  std::size_t add_columns(const std::vector<TileOperand>& list, std::int64_t count);
  kernels::Columns columns_of(const TileOperand& o) const;

  void run(std::size_t k) const;
  void load(const TileInstruction& i) const;
  void store(const TileInstruction& i, const kernels::Columns& from) const;
  void copy(const TileInstruction& i, const kernels::Columns& from) const;
  void run_loop(const TileInstruction& i, const std::array<kernels::Columns, 3>& in) const;
  void column_reduction(const TileInstruction& i, const kernels::Columns& x) const;
  void hidden_backward(const TileInstruction& i, const TileMemory::Operands& operands) const;

  std::uint32_t* group(std::uint32_t g, std::int64_t column) const {
    return scratch_ + (region_.group_start[g] + column) * region_.tile_rows;
  }
  float* real_group(std::uint32_t g) const { return reinterpret_cast<float*>(group(g, 0)); }
  const float* const* columns(std::size_t at) const { return memory_.columns.data() + at; }
  kernels::Layer layer(const DenseLayer& l) const;

  const Region& region_;
  const BoundInstructions& bound_;
  const std::vector<void*>& pointers_;
  std::uint32_t* scratch_;
  TileMemory& memory_;
  std::int64_t first_, count_ = 0;
  std::size_t rows_ = 0;  // count_, up to whole vectors
};

}  // namespace lopt
