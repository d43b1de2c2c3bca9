#pragma once
// Strided windows: what reshape, broadcast, slice and transpose make of one.

#include "plan/plan.h"

#include <optional>

namespace lopt {

/// All of a buffer, row-major.
View whole(BufferId buffer, const Shape& shape);
/// From one window to another of the same shape.
Copies::Copy copy_between(const View& from, const View& to);
/// The same elements in another shape; none where strides cannot express it.
std::optional<View> reshaped(const View& view, const Shape& shape);
/// The window that a primitive of views (reshape, broadcast, slice, transpose) makes; none where strides cannot express
/// it.
std::optional<View> applied(const View& view, const Operation& operation);
/// True for primitives that only look at their input in another way.
bool is_view(const Operation& operation);

/// A window cut into rows: where row r begins, and where its columns lie relative to that.
struct RowsAndColumns {
  RowPattern rows;
  std::vector<std::int64_t> columns;

  bool uniform() const;  // the same for all rows
  bool stream() const;   // consecutive rows lie one element apart
};
/// None where a row is not made of whole strides.
std::optional<RowsAndColumns> split_rows(const View& view, std::int64_t rows);

}  // namespace lopt
