#include "learn/asynchronous.h"

#include "estimate/lane_stepper.h"

#include <chrono>
#include <cstring>
#include <set>
#include <thread>

namespace lopt {
namespace {

enum Command : std::int32_t { go_on, give_states, stop_working };

std::vector<std::byte> with_number(std::int32_t number, std::span<const std::byte> bytes) {
  std::vector<std::byte> result(sizeof number);
  std::memcpy(result.data(), &number, sizeof number);
  result.insert(result.end(), bytes.begin(), bytes.end());
  return result;
}
std::int32_t number_of(std::span<const std::byte>& bytes) {
  std::int32_t number = 0;
  std::memcpy(&number, bytes.data(), sizeof number);
  bytes = bytes.subspan(sizeof number);
  return number;
}

}  // namespace

GradientCollector::GradientCollector(Communicator& ranks, int shards, int staleness)
    : ranks_(ranks), shards_(shards), staleness_(staleness) {
  taken_in_.by_rank.resize(static_cast<std::size_t>(ranks.size()));
}

GradientCollector::Letter GradientCollector::next(const Values& structure, const std::function<bool()>& interrupt) {
  constexpr std::chrono::microseconds pause{20};
  constexpr std::chrono::seconds patience{20};
  const auto start = std::chrono::steady_clock::now();
  while (true) {
    for (int tried = 1; tried < ranks_.size(); ++tried) {
      const int rank = next_rank_;
      next_rank_ = rank + 1 < ranks_.size() ? rank + 1 : 1;
      // Who has been silent for so long is waited for as any other rank is: it may be gone.
      if (!ranks_.has_message(rank) && std::chrono::steady_clock::now() - start < patience) continue;
      const std::vector<std::byte> letter = ranks_.receive(rank);
      std::span<const std::byte> bytes = letter;
      const int version = number_of(bytes);
      return {rank, version, decoded(bytes, structure)};
    }
    if (interrupt && interrupt()) throw Interrupted();
    std::this_thread::sleep_for(pause);
  }
}

void GradientCollector::reply(int rank, int command, const Values& theta, int step) {
  ShardSum sum;  // θ travels as gradients do
  sum.gradient = theta;
  ranks_.send(rank, with_number(command, with_number(step, encoded(sum))));
}

ShardSum GradientCollector::collect(const Values& theta, int step, const std::function<bool()>& interrupt) {
  ShardSum total;
  for (int count = 0; count < shards_;) {
    Letter letter = next(theta, interrupt);
    reply(letter.rank, go_on, theta, step);
    if (step - letter.version > staleness_) {
      ++taken_in_.dropped;
      continue;
    }
    ++taken_in_.estimates;
    taken_in_.age += step - letter.version;
    ++taken_in_.by_rank[static_cast<std::size_t>(letter.rank)];
    if (count++ == 0)
      total = std::move(letter.sum);
    else
      total += letter.sum;
  }
  return mean_of(std::move(total), shards_);
}

std::vector<std::vector<std::byte>> GradientCollector::states(const Values& theta, int step) {
  const ShardLayout layout{shards_, ranks_.size() - 1};
  std::vector<std::vector<std::byte>> all(static_cast<std::size_t>(shards_));
  std::set<int> given;
  while (static_cast<int>(given.size()) < ranks_.size() - 1) {
    const int rank = next(theta, {}).rank;
    const bool asked = given.insert(rank).second;
    reply(rank, asked ? give_states : go_on, theta, step);
    if (!asked) continue;
    for (int shard = layout.first_of(rank - 1); shard < layout.last_of(rank - 1); ++shard)
      all[static_cast<std::size_t>(shard)] = ranks_.receive(rank);
  }
  return all;
}

void GradientCollector::stop(const Values& theta, int step) {
  // Each sends one more estimate; what comes of a rank behind that is not for here.
  for (int rank = 1; rank < ranks_.size(); ++rank) {
    static_cast<void>(ranks_.receive(rank));
    reply(rank, stop_working, theta, step);
  }
}

void work(Communicator& ranks, int first, int last, Values theta, int step, const ShardWorker& worker) {
  constexpr double patience = 10;  // rank 0 may validate, or write
  for (std::int64_t number = 0;; ++number)
    for (int shard = first; shard < last; ++shard) {
      ranks.send(0, with_number(step, encoded(worker.estimate(shard, theta, number))));
      const std::vector<std::byte> letter = ranks.receive(0, patience);
      std::span<const std::byte> bytes = letter;
      const int command = number_of(bytes);
      step = number_of(bytes);
      theta = decoded(bytes, theta).gradient;
      if (command == stop_working) return;
      if (command == give_states)
        for (int own = first; own < last; ++own) ranks.send(0, bytes_of(worker.state(own)));
    }
}

}  // namespace lopt
