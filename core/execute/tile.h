#pragma once
// Runs the instructions of a region on one tile of rows.

#include "kernels/kernels.h"
#include "plan/plan.h"

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

/// Kernels of the elementwise instructions of a region; null where a primitive has none and runs through its loop.
using BoundKernels = std::vector<kernels::Elementwise>;
BoundKernels bind_kernels(const Region& region);

/// Whether what a region stores is larger than caches keep until it is read again.
inline bool is_streamed(const Region& region) { return region.rows >= (std::int64_t{1} << 20U); }

class Tile {
 public:
  /// Rows [first_row, first_row + tile_rows) of a region. `pointers` says where each buffer lies.
  Tile(const Region& region, const std::vector<void*>& pointers, std::byte* scratch, std::int64_t first_row);

  void run(const BoundKernels& kernels) const;

 private:
  /// Columns [first, first + count) of what an instruction works on.
  struct Block {
    std::int64_t first, count;
    bool last;
  };
  void run(const TileInstruction& i, kernels::Elementwise kernel, const Block& block) const;
  void load(const TileInstruction& i, const Block& block) const;
  void store(const TileInstruction& i, const Block& block) const;
  void copy(const TileInstruction& i) const;
  void elementwise(const TileInstruction& i, kernels::Elementwise kernel, const Block& block) const;
  void dense(const TileInstruction& i, const Block& block) const;
  void chain(const TileInstruction& i) const;
  void column_reduction(const TileInstruction& i) const;
  void row_sum(const TileInstruction& i, const Block& block) const;
  void outer(const TileInstruction& i, const Block& block) const;
  void hidden_backward(const TileInstruction& i) const;

  std::uint32_t* group(std::uint32_t g, std::int64_t column) const {
    return scratch_ + (region_.group_start[g] + column) * region_.tile_rows;
  }
  float* real_group(std::uint32_t g) const { return reinterpret_cast<float*>(group(g, 0)); }
  kernels::Columns operand(const TileOperand& o) const {
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
  kernels::Layer layer(const DenseLayer& l) const;

  const Region& region_;
  const std::vector<void*>& pointers_;
  std::uint32_t* scratch_;
  std::int64_t first_, count_;
  std::size_t rows_;  // count_, up to whole vectors
};

}  // namespace lopt
