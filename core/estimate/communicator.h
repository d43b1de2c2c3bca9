#pragma once
// Processes that share the lanes of a meta-training: what they must be able to do. MPI is behind it (core/mpi), in a
// library of its own; a test has one of threads.

#include "registry/registry.h"

#include <cstddef>
#include <cstdint>
#include <span>

namespace lopt {

/// A process that was to take part did not: its rank is in the sentence.
class RankError : public CoreError {
 public:
  using CoreError::CoreError;
};

class Communicator {
 public:
  virtual ~Communicator() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;

  /// Every rank gives the bytes of its part, and gets those of all, rank after rank. `sizes[r]` is the size of rank r's
  /// part, which all know. All ranks must call it in the same order. Throws RankError.
  virtual std::vector<std::byte> all_gather(std::span<const std::byte> part, std::span<const std::size_t> sizes) = 0;
  /// The same, but rank 0 alone gets the parts, the others nothing.
  virtual std::vector<std::byte> gather(std::span<const std::byte> part, std::span<const std::size_t> sizes) = 0;
  /// Bytes that this rank has sent.
  virtual std::uint64_t bytes_sent() const = 0;
};

/// The largest number that a rank gives.
std::int64_t most(Communicator& ranks, std::int64_t number);
/// A text of rank 0, for all.
std::string from_rank_0(Communicator& ranks, const std::string& text);
/// Every rank's text, by rank.
std::vector<std::string> texts_of_all(Communicator& ranks, const std::string& text);

}  // namespace lopt
