#pragma once
// Memory by lifetime: scratch columns of a region, and the arena of a plan.

#include "plan/plan.h"

namespace lopt {

/// Gives each group of columns its place in the scratch of a region, and chooses how many rows a tile has.
/// `columns`: the width of each group.
void assign_scratch(Region& region, const std::vector<std::int64_t>& columns);

/// Gives each value of the arena its place, and the place to another after its last use.
void place_arena(Plan& plan);

/// First-fit allocation of spans that are taken and given back.
class SpanAllocator {
 public:
  std::size_t take(std::size_t size);
  void give_back(std::size_t start, std::size_t size);
  std::size_t high_water() const { return end_; }

 private:
  std::vector<std::pair<std::size_t, std::size_t>> free_;  // start, size; by start, never adjacent
  std::size_t end_ = 0;
};

}  // namespace lopt
