#pragma once
// Values inside a region that is being lowered.

#include "plan/plan.h"

#include <optional>

namespace lopt {

/// Where one column of a value is: a column of a group of scratch, or an element of a buffer, of all rows or of the
/// first.
struct Column {
  TileOperand::Kind kind = TileOperand::Kind::tile;
  std::uint32_t group = 0;  // tile
  BufferId buffer = 0;      // uniform, stream
  std::int64_t at = 0;      // column of the group, or element of the buffer
};

using TileValue = std::vector<Column>;

/// Columns as one operand; none where they do not lie evenly apart.
std::optional<TileOperand> even_operand(const TileValue& value);

/// Where an element of an operation that moves elements comes from.
struct ElementSource {
  std::size_t input = 0;
  std::int64_t element = 0;  // row-major in that input
};
/// Of element `at`, row-major, of a broadcast, slice, pad or concatenation; none where it is a zero of a pad.
std::optional<ElementSource> source_of(const Program& program, const Operation& operation, std::int64_t at);

}  // namespace lopt
