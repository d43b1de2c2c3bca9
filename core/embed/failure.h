#pragma once
// What went wrong, as a program tells it: a code and sentences.

#include <exception>
#include <string>
#include <vector>

namespace lopt {

/// The exit codes of the runner, and the codes of lopt.h.
enum ExitCode {
  success = 0,
  failed = 1,
  wrong_usage = 2,
  bad_plugin = 3,
  bad_data = 4,
  interrupted = 130,
  terminated = 143
};

struct Failure {
  ExitCode code = failed;
  std::vector<std::string> messages;
};
/// Of what the core throws.
Failure failure_of(const std::exception_ptr& thrown);

}  // namespace lopt
