#pragma once
// What all ranks do together, by messages in binomial trees: each takes ⌈log₂ ranks⌉ messages one after the other, and
// no rank has more than that. All ranks must call the same functions in the same order.

#include "estimate/communicator.h"

#include <functional>
#include <optional>
#include <utility>

namespace lopt {

/// Rank 0's bytes, for all.
std::vector<std::byte> broadcast(Communicator& ranks, std::vector<std::byte> bytes);
/// Rank 0 gets every rank's part, rank after rank; the others get nothing.
std::vector<std::vector<std::byte>> gather(Communicator& ranks, std::span<const std::byte> part);
/// All ranks get every rank's part.
std::vector<std::vector<std::byte>> all_gather(Communicator& ranks, std::span<const std::byte> part);

/// The largest number that a rank gives.
std::int64_t most(Communicator& ranks, std::int64_t number);
/// The sum of the numbers that ranks give.
std::int64_t total(Communicator& ranks, std::int64_t number);
/// A text of rank 0, for all.
std::string from_rank_0(Communicator& ranks, const std::string& text);
/// Every rank's text, by rank.
std::vector<std::string> texts_of_all(Communicator& ranks, const std::string& text);

/// A text as bytes, and back.
std::span<const std::byte> bytes_of(const std::string& text);
std::string text_of(std::span<const std::byte> bytes);

/// Where parts [first, last) of a sum are halved: the sum of each half is made first.
constexpr std::size_t middle_of(std::size_t first, std::size_t last) { return first + (last - first + 1) / 2; }
/// The sum of parts, of which there is one at least, by halves; `add(left, right)` does left += right.
template <class Part, class Add>
Part sum_by_halves(std::span<Part> parts, const Add& add) {
  if (parts.size() == 1) return std::move(parts[0]);
  const std::size_t middle = middle_of(0, parts.size());
  Part left = sum_by_halves(parts.first(middle), add);
  add(left, sum_by_halves(parts.subspan(middle), add));
  return left;
}

/// Parts of a sum, dealt out to ranks: `owner(part)` grows with the part, and each rank knows its own parts alone.
struct DealtParts {
  std::size_t count;
  std::function<int(std::size_t)> owner;
};
/// How two neighbours become one: `left` += `right`. Both are what term() and add() make.
struct SumRules {
  std::function<std::vector<std::byte>(std::size_t)> term;  // a part that is mine
  std::function<void(std::vector<std::byte>&, const std::vector<std::byte>&)> add;
};
/// The sum of all parts, at the owner of part 0, and nothing elsewhere. It is made by halves, so the order of additions
/// depends on the number of parts alone. A rank sends each sum that another needs once: where parts are
/// dealt out evenly, O(log ranks) messages of a term's size, one after the other.
std::optional<std::vector<std::byte>> sum_in_a_tree(Communicator& ranks, const DealtParts& parts,
                                                    const SumRules& rules);

}  // namespace lopt
