#pragma once
// Regions of few rows, run for several lanes at once: their rows lie one after the other, so that vectors are full and
// an instruction is looked up once for all.

#include "execute/tile.h"

#include <optional>

namespace lopt {

/// Lanes that run together at most: a vector of scalars.
inline constexpr std::size_t most_lanes_together = 16;

/// A region for `most_lanes_together` lanes. What it reads and writes lies in columns, [lane, row] each, which are its
/// buffers: where the lanes' own lie one after the other these are used, others are copied to and from staging columns.
struct SideBySide {
  Region region;
  BoundInstructions bound;
  std::int64_t lane_rows = 0;
  struct Input {
    enum class Order { one, run, any };  // of its elements: the same for all rows, one after the other, or neither
    std::size_t column = 0;
    BufferId buffer = 0;
    std::vector<std::int64_t> elements;  // of the buffer, by row
    Order order = Order::any;
  };
  struct Output {
    std::size_t column = 0;
    BufferId buffer = 0;
  };
  /// A sum or maximum over a lane's rows, taken as the region takes it for one lane alone.
  struct Sum {
    std::size_t column = 0;
    BufferId buffer = 0;
    bool maximum = false;
  };
  std::vector<Input> inputs;
  std::vector<Output> outputs;
  std::vector<Sum> sums;
  std::size_t columns = 0;

  std::size_t column_words() const { return most_lanes_together * static_cast<std::size_t>(lane_rows); }
  /// Of the staging columns and the scratch behind them.
  std::size_t bytes() const;
};

/// None where a region has too many rows, or instructions that work on more than one column or that are no element's
/// own business.
std::optional<SideBySide> side_by_side(const Region& region);

/// `pointers`: of each lane, where each buffer of its plan lies. `memory`: bytes() of it. The results are the same bits
/// as of each lane alone.
void run_side_by_side(const SideBySide& together, std::span<const std::vector<void*>* const> pointers,
                      std::byte* memory, TileMemory& tile);

}  // namespace lopt
