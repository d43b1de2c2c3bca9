#include "run/session/signals.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <string_view>

namespace lopt {
namespace {

// Atomic, as threads of lanes ask too, and free of locks, as handlers of signals must be.
std::atomic<int> received_signal = 0;
std::atomic<std::int64_t> received_at = 0;  // in nanoseconds of the monotonic clock
static_assert(std::atomic<int>::is_always_lock_free && std::atomic<std::int64_t>::is_always_lock_free);

std::int64_t monotonic_nanoseconds() {
  std::timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

/// Whether somebody has asked and heard of the signal, and the seconds that nobody may take to ask.
std::atomic<bool> heard = false;
std::atomic<unsigned> most_seconds_of_silence = 10;

void on_signal(int signal) {
  const std::int64_t now = monotonic_nanoseconds();
  if (received_signal == 0) {
    received_at = now;
    received_signal = signal;
    alarm(most_seconds_of_silence);
    return;
  }
  // Whoever asks a second time is not kept waiting. What comes within half a second is the same wish: a launcher
  // (timeout, a batch system) signals the process and then the group that it is in.
  if (now - received_at > 500'000'000) std::_Exit(128 + signal);
}

/// Nobody has heard: an estimator of a plugin, say, goes on by itself.
void on_alarm(int) {
  if (heard) return;
  constexpr std::string_view text =
      "\nlopt-run: what it was at did not end in the time that a step may take; the last checkpoint is kept\n";
  if (::write(STDERR_FILENO, text.data(), text.size()) < 0) std::_Exit(128 + received_signal);
  std::_Exit(128 + received_signal);
}

}  // namespace

bool stop_wanted() {
  if (received_signal == 0) return false;
  heard = true;
  return true;
}
void step_took(double seconds) {
  constexpr double times = 3, most = 1e6;
  most_seconds_of_silence =
      std::max(most_seconds_of_silence.load(), static_cast<unsigned>(std::min(times * seconds, most)));
}
int signal_that_came() { return received_signal; }
void hear_signals() {
  std::signal(SIGINT, on_signal);
  std::signal(SIGTERM, on_signal);
  std::signal(SIGALRM, on_alarm);
}

}  // namespace lopt
