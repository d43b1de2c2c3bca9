#include "estimate/collectives.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace lopt {
namespace {

using Bytes = std::vector<std::byte>;

// Who waits for the ranks above it, which may wait for any other, is more patient than they are.
constexpr double patience_a_level = 0.1, patience_downwards = 2;

int levels_of(int ranks) { return std::bit_width(static_cast<unsigned>(ranks - 1)); }

/// Parts in one message: for each its size, then its bytes.
void append(Bytes& message, std::span<const std::byte> part) {
  const std::uint64_t size = part.size();
  const auto* begin = reinterpret_cast<const std::byte*>(&size);
  message.insert(message.end(), begin, begin + sizeof size);
  message.insert(message.end(), part.begin(), part.end());
}
std::vector<Bytes> parts_of(const Bytes& message) {
  std::vector<Bytes> parts;
  for (std::size_t at = 0; at < message.size();) {
    std::uint64_t size = 0;
    std::memcpy(&size, &message[at], sizeof size);
    at += sizeof size;
    const auto begin = message.begin() + static_cast<std::ptrdiff_t>(at);
    parts.emplace_back(begin, begin + static_cast<std::ptrdiff_t>(size));
    at += size;
  }
  return parts;
}

/// What ranks [rank, rank + 2ᵏ) have goes to `rank`, for k = 1, 2, …: `mine` becomes rank 0's result. `join(mine,
/// theirs)` takes in what the ranks behind have.
template <class Join>
void up_the_tree(Communicator& ranks, Bytes& mine, Join join) {
  const int rank = ranks.rank();
  for (int level = 0; level < levels_of(ranks.size()); ++level) {
    const int step = 1 << level;
    if ((rank & step) != 0) return ranks.send(rank - step, mine);
    if (rank + step < ranks.size()) join(mine, ranks.receive(rank + step, 1 + patience_a_level * level));
  }
}

/// All parts in one message, at rank 0.
Bytes gathered(Communicator& ranks, std::span<const std::byte> part) {
  Bytes message;
  append(message, part);
  up_the_tree(ranks, message,
              [](Bytes& mine, const Bytes& theirs) { mine.insert(mine.end(), theirs.begin(), theirs.end()); });
  return message;
}

template <class Join>
std::int64_t joined(Communicator& ranks, std::int64_t number, Join join) {
  Bytes bytes(sizeof number);
  std::memcpy(bytes.data(), &number, sizeof number);
  up_the_tree(ranks, bytes, [&](Bytes& mine, const Bytes& theirs) {
    std::int64_t a = 0, b = 0;
    std::memcpy(&a, mine.data(), sizeof a);
    std::memcpy(&b, theirs.data(), sizeof b);
    a = join(a, b);
    std::memcpy(mine.data(), &a, sizeof a);
  });
  bytes = broadcast(ranks, std::move(bytes));
  std::memcpy(&number, bytes.data(), sizeof number);
  return number;
}

}  // namespace

Bytes broadcast(Communicator& ranks, Bytes bytes) {
  const int rank = ranks.rank(), levels = levels_of(ranks.size());
  // A rank hears from the one without its lowest bit, and tells those with a bit below that.
  const int own = rank == 0 ? levels : std::countr_zero(static_cast<unsigned>(rank));
  if (rank != 0) bytes = ranks.receive(rank & (rank - 1), patience_downwards + patience_a_level * (levels - own));
  for (int level = own - 1; level >= 0; --level)
    if (rank + (1 << level) < ranks.size()) ranks.send(rank + (1 << level), bytes);
  return bytes;
}

std::vector<Bytes> gather(Communicator& ranks, std::span<const std::byte> part) {
  const Bytes message = gathered(ranks, part);
  return ranks.rank() == 0 ? parts_of(message) : std::vector<Bytes>();
}

std::vector<Bytes> all_gather(Communicator& ranks, std::span<const std::byte> part) {
  return parts_of(broadcast(ranks, gathered(ranks, part)));
}

std::int64_t most(Communicator& ranks, std::int64_t number) {
  return joined(ranks, number, [](std::int64_t a, std::int64_t b) { return std::max(a, b); });
}
std::int64_t total(Communicator& ranks, std::int64_t number) {
  return joined(ranks, number, [](std::int64_t a, std::int64_t b) { return a + b; });
}

std::span<const std::byte> bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }
std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string from_rank_0(Communicator& ranks, const std::string& text) {
  const auto bytes = bytes_of(text);
  return text_of(broadcast(ranks, Bytes(bytes.begin(), bytes.end())));
}

std::vector<std::string> texts_of_all(Communicator& ranks, const std::string& text) {
  std::vector<std::string> texts;
  for (const Bytes& bytes : all_gather(ranks, bytes_of(text))) texts.push_back(text_of(bytes));
  return texts;
}

namespace {
/// The sum of parts [first, last), which is made by the owner of the first; nothing for other ranks.
class SumTree {
 public:
  SumTree(Communicator& ranks, const DealtParts& parts, const SumRules& rules)
      : ranks_(ranks), parts_(parts), rules_(rules) {}

  std::optional<Bytes> sum(std::size_t first, std::size_t last) const {
    const int me = ranks_.rank(), owner = parts_.owner(first);
    if (me < owner || me > parts_.owner(last - 1)) return std::nullopt;
    if (last - first == 1) return rules_.term(first);
    const std::size_t middle = middle_of(first, last);
    const int other = parts_.owner(middle);
    std::optional<Bytes> left = sum(first, middle), right = sum(middle, last);
    if (other != owner && me == other) ranks_.send(owner, *right);
    if (me != owner) return std::nullopt;
    if (other != owner)
      right = ranks_.receive(other, 1 + patience_a_level * static_cast<double>(std::bit_width(last - first)));
    rules_.add(*left, *right);
    return left;
  }

 private:
  Communicator& ranks_;
  const DealtParts& parts_;
  const SumRules& rules_;
};
}  // namespace

std::optional<Bytes> sum_in_a_tree(Communicator& ranks, const DealtParts& parts, const SumRules& rules) {
  return SumTree(ranks, parts, rules).sum(0, parts.count);
}

}  // namespace lopt
