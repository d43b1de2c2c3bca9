#pragma once
// Processes that share the lanes of a meta-training: what they must be able to do, which is to send each other
// messages. MPI is behind it (core/mpi), in a library of its own; tests have one of threads, and one of threads whose
// clocks are simulated. What several ranks do together stands in collectives.h, once for all.

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

/// Ranks are gone, and those that are left can go on without them: recover() says how.
class RanksLost : public RankError {
 public:
  using RankError::RankError;
};

/// What a rank has sent, and how many seconds it has waited for others.
struct Traffic {
  std::uint64_t bytes = 0, messages = 0;
  double waited = 0;
};

class Communicator {
 public:
  virtual ~Communicator() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;

  /// A message to another rank. Those of one rank to another arrive in their order. Returns when `bytes` may change.
  /// Throws RankError where the other does not take it.
  virtual void send(int to, std::span<const std::byte> bytes) = 0;
  /// The next message of another rank. `patience`: how many times as long as usual that may take; who waits for a rank
  /// that may wait itself waits longer, so that the one that does not answer is named by who waits for it alone. Throws
  /// RankError.
  virtual std::vector<std::byte> receive(int from, double patience = 1) = 0;

  /// Whether receive() would have something at once.
  virtual bool has_message(int from) = 0;

  virtual Traffic traffic() const = 0;

  /// After RanksLost, which all that are left are thrown: from here on the ranks are those, numbered anew. All of them
  /// must call it.
  virtual void recover() { throw RankError("there is no going on without a rank here"); }
};

/// Some of the ranks, which follow one another, as a communicator of their own.
class RankGroup final : public Communicator {
 public:
  RankGroup(Communicator& all, int first, int size) : all_(all), first_(first), size_(size) {}
  int rank() const override { return all_.rank() - first_; }
  int size() const override { return size_; }
  void send(int to, std::span<const std::byte> bytes) override { all_.send(first_ + to, bytes); }
  std::vector<std::byte> receive(int from, double patience) override { return all_.receive(first_ + from, patience); }
  bool has_message(int from) override { return all_.has_message(first_ + from); }
  Traffic traffic() const override { return all_.traffic(); }

 private:
  Communicator& all_;
  int first_, size_;
};

}  // namespace lopt
