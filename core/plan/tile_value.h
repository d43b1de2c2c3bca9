#pragma once
// Values inside a region that is being lowered.

#include "plan/plan.h"

#include <optional>

namespace lopt {

/// Column of a group of scratch columns.
struct Column {
  std::uint32_t group = 0;
  std::int64_t index = 0;
};

/// Columns of scratch, or elements of a buffer.
struct TileValue {
  TileOperand::Kind kind = TileOperand::Kind::tile;
  std::vector<Column> columns;         // tile
  BufferId buffer = 0;                 // uniform, stream
  std::vector<std::int64_t> elements;  // uniform, stream: of each column

  std::size_t width() const { return kind == TileOperand::Kind::tile ? columns.size() : elements.size(); }
  /// Its columns lie evenly apart, so that an operand can name them.
  bool is_even() const;
  TileValue column(std::size_t at) const;
};

/// Where an element of an operation that moves elements comes from.
struct ElementSource {
  std::size_t input = 0;
  std::int64_t element = 0;  // row-major in that input
};
/// Of element `at`, row-major, of a broadcast, slice, pad or concatenation; none where it is a zero of a pad.
std::optional<ElementSource> source_of(const Program& program, const Operation& operation, std::int64_t at);

}  // namespace lopt
