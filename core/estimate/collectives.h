#pragma once
// What all ranks do together, by messages in binomial trees: each takes ⌈log₂ ranks⌉ messages one after the other, and
// no rank has more than that. All ranks must call the same functions in the same order.

#include "estimate/communicator.h"

#include <functional>
#include <optional>

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
/// The sum of all parts, at the owner of part 0, and nothing elsewhere. Its tree halves the parts again and again, so
/// the order of additions depends on their number alone. A rank sends each sum that another needs once: where parts are
/// dealt out evenly, O(log ranks) messages of a term's size, one after the other.
std::optional<std::vector<std::byte>> sum_in_a_tree(Communicator& ranks, const DealtParts& parts,
                                                    const SumRules& rules);

}  // namespace lopt
