#include "plan/scratch.h"

#include <algorithm>

namespace lopt {

bool writes_group(const TileInstruction& i) {
  using Kind = TileInstruction::Kind;
  return i.kept && !i.to_memory && i.kind != Kind::store && i.kind != Kind::row_sum && i.kind != Kind::row_max &&
         i.kind != Kind::outer;
}

std::vector<BufferId> sums_of(const TileInstruction& i) {
  using Kind = TileInstruction::Kind;
  if (i.kind == Kind::row_sum || i.kind == Kind::row_max || i.kind == Kind::outer) return {i.buffer};
  std::vector<BufferId> result;
  if (i.kind == Kind::hidden_backward)
    for (const auto& sum : {i.input_weights, i.bias, i.output_weights})
      if (sum.wanted) result.push_back(sum.buffer);
  return result;
}

std::size_t SpanAllocator::take(std::size_t size) {
  for (auto it = free_.begin(); it != free_.end(); ++it)
    if (it->second >= size) {
      const std::size_t start = it->first;
      *it = {start + size, it->second - size};
      if (it->second == 0) free_.erase(it);
      return start;
    }
  const std::size_t start =
      !free_.empty() && free_.back().first + free_.back().second == end_ ? free_.back().first : end_;
  if (start != end_) free_.pop_back();
  end_ = start + size;
  return start;
}

void SpanAllocator::give_back(std::size_t start, std::size_t size) {
  if (size == 0) return;
  auto it = free_.insert(std::lower_bound(free_.begin(), free_.end(), std::pair{start, std::size_t{0}}), {start, size});
  if (auto next = std::next(it); next != free_.end() && it->first + it->second == next->first) {
    it->second += next->second;
    it = std::prev(free_.erase(next));
  }
  if (it != free_.begin())
    if (auto before = std::prev(it); before->first + before->second == it->first) {
      before->second += it->second;
      free_.erase(it);
    }
}

namespace {

/// Gives groups their columns, those of tiles and those of blocks by themselves.
class Placement {
 public:
  Placement(Region& region, const std::vector<std::int64_t>& columns)
      : region_(region), columns_(columns), uses_(columns.size()), start_(columns.size(), -1) {
    find_sequences();
    for (std::size_t i = 0; i < region.instructions.size(); ++i) {
      for_operands(region.instructions[i], [&](const TileOperand& operand) {
        if (operand.kind == TileOperand::Kind::tile) use(operand.group, i);
      });
      if (writes_group(region.instructions[i])) use(region.instructions[i].group, i);
    }
    // Of a sequence of several columns the first is done by all instructions before the second begins.
    for (Use& use : uses_)
      if (use.first != never && region.instructions[use.last].columns > 1) use.last = sequences_[use.last].second;
    // Blocks run many times: what they share with other instructions keeps its place from the first to the last.
    for (Use& use : uses_) {
      if (use.only_blocks) continue;
      if (region.in_blocks(use.first)) use.first = region.blocks_begin;
      if (region.in_blocks(use.last)) use.last = region.blocks_end - 1;
    }
  }

  void run() {
    std::vector<std::vector<std::uint32_t>> beginning(region_.instructions.size()), ending(beginning);
    for (std::uint32_t group = 0; group < uses_.size(); ++group) {
      if (uses_[group].first == never) continue;
      beginning[uses_[group].first].push_back(group);
      ending[uses_[group].last].push_back(group);
    }
    for (std::size_t i = 0; i < region_.instructions.size(); ++i) {
      for (const std::uint32_t group : beginning[i]) {
        const auto replaced = std::find_if(ending[i].begin(), ending[i].end(),
                                           [&](std::uint32_t old) { return can_replace(i, old, group); });
        if (replaced != ending[i].end()) {
          start_[group] = start_[*replaced];
          ending[i].erase(replaced);
        } else {
          start_[group] = static_cast<std::int64_t>(allocator(group).take(static_cast<std::size_t>(columns_[group])));
        }
      }
      for (const std::uint32_t group : ending[i])
        allocator(group).give_back(static_cast<std::size_t>(start_[group]), static_cast<std::size_t>(columns_[group]));
    }
    region_.tile_columns = static_cast<std::int64_t>(tile_.high_water());
    region_.block_columns = static_cast<std::int64_t>(block_.high_water());
  }

  /// Once the rows of tiles and blocks are known.
  void write() const {
    for (std::size_t group = 0; group < uses_.size(); ++group) {
      if (start_[group] < 0)
        region_.groups.emplace_back();
      else if (uses_[group].only_blocks)
        region_.groups.push_back(
            {region_.tile_columns * region_.tile_rows + start_[group] * region_.block_rows, region_.block_rows});
      else
        region_.groups.push_back({start_[group] * region_.tile_rows, region_.tile_rows});
    }
  }

 private:
  static constexpr std::size_t never = ~std::size_t{0};
  struct Use {
    std::size_t first = never, last = 0;
    bool only_blocks = true;
  };

  void use(std::uint32_t group, std::size_t at) {
    Use& use = uses_[group];
    if (use.first == never) use.first = at;
    use.last = at;
    use.only_blocks = use.only_blocks && region_.in_blocks(at);
  }
  SpanAllocator& allocator(std::uint32_t group) { return uses_[group].only_blocks ? block_ : tile_; }

  /// The first and last instruction of the sequence in which each is.
  void find_sequences() {
    const std::vector<TileInstruction>& list = region_.instructions;
    sequences_.resize(list.size());
    for (std::size_t begin = 0, end = 0; begin < list.size(); begin = end) {
      for (end = begin + 1; end < list.size() && list[end].goes_on;) ++end;
      for (std::size_t i = begin; i < end; ++i) sequences_[i] = {begin, end - 1};
    }
  }

  /// True if `group`, the result of elementwise instruction k, may take the place of `old`, an operand of it or of one
  /// before it in its sequence, column for column.
  bool can_replace(std::size_t k, std::uint32_t old, std::uint32_t group) const {
    const TileInstruction& result = region_.instructions[k];
    if (result.kind != TileInstruction::Kind::elementwise || result.group != group ||
        columns_[old] != columns_[group] || uses_[old].only_blocks != uses_[group].only_blocks || start_[old] < 0)
      return false;
    for (std::size_t i = result.columns > 1 ? sequences_[k].first : k; i <= k; ++i)
      for (const TileOperand& operand : region_.instructions[i].operands)
        if (operand.kind == TileOperand::Kind::tile && operand.group == old &&
            (operand.first != 0 || (operand.step != 1 && result.columns > 1)))
          return false;
    return true;
  }

  Region& region_;
  const std::vector<std::int64_t>& columns_;
  std::vector<Use> uses_;
  std::vector<std::pair<std::size_t, std::size_t>> sequences_;
  std::vector<std::int64_t> start_;
  SpanAllocator tile_, block_;
};

/// Whole blocks of rows, as layers have them at each level (6 vectors of 16, 3 of 8), that fit `cache_words`.
std::int64_t rows_in_cache(std::int64_t columns, std::int64_t cache_words, std::int64_t most) {
  constexpr std::int64_t layer_rows = 96;
  const std::int64_t fitting = cache_words / std::max<std::int64_t>(1, columns);
  return fitting >= layer_rows ? std::min(most, fitting / layer_rows * layer_rows) : layer_rows / 2;
}

}  // namespace

void assign_scratch(Region& region, const std::vector<std::int64_t>& columns) {
  Placement placement(region, columns);
  placement.run();
  // What layers read again and again fits a first cache of 32 to 48 KB; what goes
  // element by element is mostly read soon after it was made, so tiles may be larger, and fewer.
  constexpr std::int64_t block_words = 9600, tile_words = 16384, most_rows = 1056, chunk_rows = 512;
  const std::int64_t all_rows = (region.rows + 15) / 16 * 16;
  region.tile_rows = std::min(rows_in_cache(region.tile_columns, tile_words, most_rows), all_rows);
  // Tiles of about the same length, so that threads that share them end together.
  const auto up = [](std::int64_t n, std::int64_t of) { return (n + of - 1) / of; };
  region.tile_rows = std::min(region.tile_rows, up(up(region.rows, up(region.rows, region.tile_rows)), 96) * 96);
  region.block_rows = std::min(rows_in_cache(region.block_columns, block_words, most_rows), region.tile_rows);
  placement.write();
  const std::int64_t tiles = up(region.rows, region.tile_rows);
  region.chunks = std::clamp<std::int64_t>(region.rows / chunk_rows, 1, std::min<std::int64_t>(tiles, max_chunks));
}

}  // namespace lopt
