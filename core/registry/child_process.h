#pragma once
// Work whose failure must not be ours: a copy of this process does it and reports.

#include <functional>
#include <string>
#include <vector>

namespace lopt {

/// Sends one report to the parent.
using SendReport = std::function<void(const std::string&)>;

/// What a child process reported, and how it ended.
struct ChildEnd {
  std::vector<std::string> reports;
  bool finished = false;  // the work returned
  bool late = false;      // it was ended, for it had taken too long
  /// Where not finished: "it crashed (Segmentation fault)", "it ended the process (exit code 1)" or "it took longer
  /// than 2 s".
  std::string how;
};

/// Runs `work` in a child process, with its output discarded and no core file left. The child is killed where
/// `seconds` pass without a report. Throws std::runtime_error where no process can be made.
ChildEnd run_in_child(const std::function<void(const SendReport&)>& work, double seconds);

}  // namespace lopt
