#pragma once
// What a person sees while a run goes on: a bar on a terminal, plain lines elsewhere.

#include <chrono>
#include <string>

namespace lopt {

class Progress {
 public:
  /// `loss_name`: "meta-loss" or "loss". Quiet: nothing is shown.
  /// `done`: steps that were done before, in an earlier process.
  Progress(std::string loss_name, int steps, bool quiet, int done = 0);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// `steps_done` steps are done, the last with this loss. `note` is shown behind it.
  void update(int steps_done, double loss, const std::string& note = "");

 private:
  using Clock = std::chrono::steady_clock;
  void show(double seconds, const std::string& note) const;

  std::string loss_name_;
  int steps_, before_, done_ = 0;
  bool quiet_, terminal_, shown_ = false;
  double smoothed_ = 0;
  Clock::time_point start_, last_;
};

/// "1 h 02 min", "3 min 10 s" or "12 s".
std::string duration_text(double seconds);

}  // namespace lopt
