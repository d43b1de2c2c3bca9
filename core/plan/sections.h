#pragma once
#include "plan/plan.h"

namespace lopt {

/// Finds runs of instructions on wide values that can be executed a few columns at a time, and puts them beside each
/// other. Narrows the groups of columns that live inside a section alone. `columns`: the width of each group.
void find_sections(Region& region, std::vector<std::int64_t>& columns);

/// True for instructions whose result is a group of scratch columns.
bool writes_group(const TileInstruction& instruction);

}  // namespace lopt
