#pragma once
// Ranks that are threads of this process.
#include "estimate/communicator.h"

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>

namespace lopt {

/// Messages under way, by (from, to).
struct Post {
  std::mutex mutex;
  std::condition_variable arrived;
  std::map<std::pair<int, int>, std::deque<std::vector<std::byte>>> letters;
};

class ThreadRank final : public Communicator {
 public:
  ThreadRank(Post& post, int rank, int size) : post_(post), rank_(rank), size_(size) {}
  int rank() const override { return rank_; }
  int size() const override { return size_; }
  Traffic traffic() const override { return traffic_; }
  bool has_message(int from) override {
    const std::scoped_lock lock(post_.mutex);
    return !post_.letters[{from, rank_}].empty();
  }
  void send(int to, std::span<const std::byte> bytes) override {
    traffic_.bytes += bytes.size();
    ++traffic_.messages;
    const std::scoped_lock lock(post_.mutex);
    post_.letters[{rank_, to}].emplace_back(bytes.begin(), bytes.end());
    post_.arrived.notify_all();
  }
  std::vector<std::byte> receive(int from, double) override {
    std::unique_lock lock(post_.mutex);
    auto& box = post_.letters[{from, rank_}];
    post_.arrived.wait(lock, [&] { return !box.empty(); });
    std::vector<std::byte> letter = std::move(box.front());
    box.pop_front();
    return letter;
  }

 private:
  Post& post_;
  int rank_, size_;
  Traffic traffic_;
};

/// f(communicator) for each rank, each on a thread of its own.
template <class Function>
void on_threads(int ranks, Function f) {
  Post post;
  std::vector<std::thread> threads;
  for (int rank = 0; rank < ranks; ++rank)
    threads.emplace_back([&, rank] {
      ThreadRank communicator(post, rank, ranks);
      f(communicator);
    });
  for (std::thread& thread : threads) thread.join();
}

}  // namespace lopt
