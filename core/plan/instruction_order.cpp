#include "plan/instruction_order.h"

#include <algorithm>
#include <limits>
#include <optional>

namespace lopt {
namespace {

class Scheduler {
 public:
  enum Phase : std::uint8_t { before, blocks, after };

  Scheduler(std::vector<TileInstruction> list, const std::vector<std::int64_t>& columns)
      : list_(std::move(list)), columns_(columns), groups_(columns.size()), waits_for_(list_.size()) {
    for (std::size_t k = 0; k < list_.size(); ++k) {
      reads_.push_back(groups_read(list_[k]));
      for (const std::uint32_t group : reads_[k]) groups_[group].readers.push_back(k);
      if (!writes_group(list_[k])) continue;
      ++groups_[list_[k].group].writes_left;
      groups_[list_[k].group].writers.push_back(k);
    }
    for (std::size_t k = 0; k < list_.size(); ++k) {
      for (const std::uint32_t group : reads_[k]) waits_for_[k] += groups_[group].writes_left > 0;
      if (waits_for_[k] == 0) ready_.push_back(k);
    }
    for (Group& group : groups_) group.readers_left = group.readers.size();
    find_phases();
  }

  /// What runs in blocks is [begins, ends) of the result.
  std::vector<TileInstruction> run(std::size_t& begins, std::size_t& ends) {
    std::vector<TileInstruction> result;
    begins = static_cast<std::size_t>(std::count(phases_.begin(), phases_.end(), before));
    ends = begins + static_cast<std::size_t>(std::count(phases_.begin(), phases_.end(), blocks));
    while (!ready_.empty()) {
      const auto next = std::min_element(ready_.begin(), ready_.end(), [&](std::size_t a, std::size_t b) {
        if (phases_[a] != phases_[b]) return phases_[a] < phases_[b];
        if (goes_on(a) != goes_on(b)) return goes_on(a);
        const std::int64_t grown_a = growth(a), grown_b = growth(b);
        return grown_a != grown_b ? grown_a < grown_b : a < b;
      });
      const std::size_t k = *next;
      ready_.erase(next);
      finish(k);
      result.push_back(std::move(list_[k]));
    }
    return result;
  }

 private:
  struct Group {
    std::vector<std::size_t> readers, writers;
    std::size_t readers_left = 0, writes_left = 0;
    bool lives = false;
  };

  static std::vector<std::uint32_t> groups_read(const TileInstruction& instruction) {
    std::vector<std::uint32_t> result;
    for_operands(instruction, [&](const TileOperand& operand) {
      if (operand.kind == TileOperand::Kind::tile) result.push_back(operand.group);
    });
    std::sort(result.begin(), result.end());
    result.erase(std::unique(result.begin(), result.end()), result.end());
    return result;
  }

  /// Reads or makes a wide value.
  bool is_wide(std::size_t k) const {
    constexpr std::int64_t least_width = 8;
    const auto wide = [&](std::uint32_t group) { return columns_[group] >= least_width; };
    return (writes_group(list_[k]) && wide(list_[k].group)) || std::any_of(reads_[k].begin(), reads_[k].end(), wide);
  }
  void find_phases() {
    std::vector<bool> from_wide(list_.size()), to_wide(list_.size());
    const auto spread = [&](std::size_t k, std::vector<bool>& marks, bool forward) {
      std::vector<std::size_t> pending{k};
      while (!pending.empty()) {
        const std::size_t at = pending.back();
        pending.pop_back();
        if (marks[at]) continue;
        marks[at] = true;
        if (forward && writes_group(list_[at]))
          pending.insert(pending.end(), groups_[list_[at].group].readers.begin(),
                         groups_[list_[at].group].readers.end());
        if (!forward)
          for (const std::uint32_t group : reads_[at])
            pending.insert(pending.end(), groups_[group].writers.begin(), groups_[group].writers.end());
      }
    };
    for (std::size_t k = 0; k < list_.size(); ++k)
      if (is_wide(k)) {
        spread(k, from_wide, true);
        spread(k, to_wide, false);
      }
    for (std::size_t k = 0; k < list_.size(); ++k)
      phases_.push_back(!from_wide[k] ? before : to_wide[k] ? blocks : after);
  }

  /// Columns that live behind an instruction and not before it, less those that it is the last to read.
  std::int64_t growth(std::size_t k) const {
    std::int64_t result = 0;
    const TileInstruction& i = list_[k];
    if (!writes_group(i)) return std::numeric_limits<std::int64_t>::min();
    if (!groups_[i.group].lives) result += columns_[i.group];
    for (const std::uint32_t group : reads_[k])
      if (groups_[group].readers_left == 1) result -= columns_[group];
    return result;
  }

  /// An elementwise instruction that reads what the last one made, which so stays in registers.
  bool goes_on(std::size_t k) const {
    if (!last_ || list_[k].kind != TileInstruction::Kind::elementwise || list_[k].columns != columns_[*last_])
      return false;
    return std::binary_search(reads_[k].begin(), reads_[k].end(), *last_);
  }

  void finish(std::size_t k) {
    last_.reset();
    if (list_[k].kind == TileInstruction::Kind::elementwise) last_ = list_[k].group;
    for (const std::uint32_t group : reads_[k]) --groups_[group].readers_left;
    if (!writes_group(list_[k])) return;
    Group& group = groups_[list_[k].group];
    group.lives = true;
    if (--group.writes_left > 0) return;
    for (const std::size_t reader : group.readers)
      if (--waits_for_[reader] == 0) ready_.push_back(reader);
  }

  std::vector<TileInstruction> list_;
  const std::vector<std::int64_t>& columns_;
  std::vector<Group> groups_;
  std::vector<std::vector<std::uint32_t>> reads_;
  std::vector<std::size_t> waits_for_, ready_;
  std::vector<Phase> phases_;
  std::optional<std::uint32_t> last_;  // what the instruction before made, if it is elementwise
};

}  // namespace

void order_instructions(Region& region, const std::vector<std::int64_t>& columns) {
  region.instructions = Scheduler(std::move(region.instructions), columns).run(region.blocks_begin, region.blocks_end);
}

}  // namespace lopt
