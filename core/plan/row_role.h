#pragma once
// How operations take part in regions, which run row by row: what rows an operation has, if it has any.

#include "program/program.h"

#include <cstdint>

namespace lopt {

/// How an operation takes part in a region.
struct RowRole {
  bool fusable = false;
  std::int64_t elements = 0;  // of the values that it works on row by row
  std::int64_t rows = 0;      // the number of rows that it needs; 0: any that divides `elements`
  bool terminal = false;      // its result is complete only when all rows are done: sums over rows
};

/// Columns that a region may have beside each other for one value.
inline constexpr std::int64_t max_columns = 128;
/// The same of regions in which a layer takes or gives more than that: its own time is so long that what else happens
/// to wide values counts little.
inline constexpr std::int64_t max_layer_columns = 512;

std::int64_t size_of(const Program& program, ValueId value);
/// One number for as many elements that those who read it, who need nothing else of each other, run apart: in one
/// region their rows would come from ever more places in memory, and no processor fetches so many ahead.
bool is_number_for_many(const Program& program, ValueId value);
/// Of the operation that makes the value. Not fusable: it runs alone.
RowRole role_of(const Program& program, ValueId value);

}  // namespace lopt
