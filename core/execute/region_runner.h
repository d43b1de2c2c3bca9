#pragma once
#include "execute/arena.h"
#include "execute/block_team.h"
#include "execute/tile.h"

namespace lopt {

/// What running a region needs to look up only once.
struct BoundRegion {
  BoundInstructions instructions;
  struct Sum {
    BufferId buffer;
    bool maximum;
  };
  std::vector<Sum> sums;          // that its instructions add to, or the maxima of which they find
  std::size_t partial_bytes = 0;  // of one chunk's part of all sums
  std::vector<BufferId> buffers;  // that it reads or writes
  bool is_long = false;           // enough for its chunks to run on several threads
};
BoundRegion bind_region(const Region& region, const Plan& plan);

/// Runs a region. Sums over rows are taken chunk by chunk, and the chunks' sums in order: the same bits whether the
/// chunks run one after the other or, with `parallel`, on the threads of this TBB arena.
/// `tiles`: what each chunk keeps between runs; grows to as many as run at once.
void run_region(const Region& region, const BoundRegion& bound, const Plan& plan, Arena& arena,
                std::vector<TileMemory>& tiles, BlockTeam* team);

}  // namespace lopt
