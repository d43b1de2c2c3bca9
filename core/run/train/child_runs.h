#pragma once
// lopt-run as processes of its own.

#include <sys/types.h>

#include <string>
#include <vector>

namespace lopt {

/// Starts this program with arguments, its output in a file, and without what mpirun left in the environment: it is a
/// run by itself. Throws std::runtime_error.
pid_t start_run(const std::vector<std::string>& arguments, const std::string& output);

/// Starts a command, which writes where this process does. Throws std::runtime_error.
pid_t start_command(std::vector<std::string> words);

/// The sentence in which a run said why it failed: the last that the runner printed into its output.
std::string last_sentence(const std::string& output);

/// A process that ended: its exit code, or 128 + the signal that ended it.
struct EndedRun {
  pid_t process;
  int code;
};
/// Waits until one of the processes that were started ends. They get a SIGINT where stop_wanted() says so meanwhile.
EndedRun wait_for_run(const std::vector<pid_t>& processes);

}  // namespace lopt
