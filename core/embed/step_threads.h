#pragma once
#include "execute/block_team.h"

#include <algorithm>
#include <thread>
#include <vector>

namespace lopt {

/// Threads that help with a step for as long as this lives; none where it is of few elements.
class StepThreads {
 public:
  /// `threads`: at most, with the one that takes the step.
  StepThreads(int threads, std::size_t elements)
      : team_(std::min(static_cast<std::size_t>(threads), 1 + elements / worth_a_thread)) {
    for (std::size_t i = 1; i < team_.threads(); ++i) helpers_.emplace_back([this] { team_.help(); });
  }
  ~StepThreads() {
    team_.close();
    for (std::thread& helper : helpers_) helper.join();
  }
  StepThreads(const StepThreads&) = delete;
  StepThreads& operator=(const StepThreads&) = delete;

  /// Null where the calling thread is alone.
  BlockTeam* team() { return helpers_.empty() ? nullptr : &team_; }

 private:
  static constexpr std::size_t worth_a_thread = std::size_t{1} << 18;  // elements: about what a thread takes to begin

  BlockTeam team_;
  std::vector<std::thread> helpers_;
};

}  // namespace lopt
