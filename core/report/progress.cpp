#include "report/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>

namespace lopt {

std::string duration_text(double seconds) {
  const auto whole = static_cast<long>(std::lround(seconds));
  if (seconds < 10) return fmt::format("{:.1f} s", seconds);
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02} min", whole / 3600, whole % 3600 / 60);
}

Progress::Progress(std::string loss_name, int steps, bool quiet, int done)
    : loss_name_(std::move(loss_name)),
      steps_(steps),
      before_(done),
      quiet_(quiet),
      terminal_(isatty(STDOUT_FILENO) != 0),
      start_(Clock::now()),
      last_(start_) {}

Progress::~Progress() {
  if (terminal_ && shown_) std::fputs("\n", stdout);
}

void Progress::update(int steps_done, double loss, const std::string& note) {
  // The mean over about the last twenty steps.
  const double share = done_ == 0 || !std::isfinite(smoothed_) ? 1 : 1 - std::pow(0.9, steps_done - done_);
  smoothed_ += share * (loss - smoothed_);
  if (done_ == 0 || !std::isfinite(smoothed_)) smoothed_ = loss;
  done_ = steps_done;
  if (quiet_) return;
  const Clock::time_point now = Clock::now();
  const double since = std::chrono::duration<double>(now - last_).count();
  if (done_ < steps_ && since < (terminal_ ? 0.1 : 5.0)) return;
  last_ = now;
  show(std::chrono::duration<double>(now - start_).count(), note);
  shown_ = true;
}

void Progress::show(double seconds, const std::string& note) const {
  const double share = static_cast<double>(done_) / steps_, rate = seconds > 0 ? (done_ - before_) / seconds : 0,
               rest = rate > 0 ? (steps_ - done_) / rate : 0;
  const std::string numbers = fmt::format("{}/{} steps  {:.4g} steps/s  {} left  {} {:.4f}{}{}", done_, steps_, rate,
                                          duration_text(rest), loss_name_, smoothed_, note.empty() ? "" : "  ", note);
  if (!terminal_) {
    fmt::print("{}\n", numbers);
  } else {
    const auto full = static_cast<std::size_t>(share * 24);
    std::string bar;
    for (std::size_t i = 0; i < 24; ++i) bar += i < full ? "█" : "░";
    fmt::print("\r\x1b[K{} {:3.0f} %  {}", bar, share * 100, numbers);
  }
  std::fflush(stdout);
}

}  // namespace lopt
