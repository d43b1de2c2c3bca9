#include "run/train/child_runs.h"

#include "run/session/session.h"

#include <boost/dll/runtime_symbol_info.hpp>
#include <fmt/format.h>

#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <spawn.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace lopt {
namespace {

/// The environment without the variables by which a process finds out that mpirun started it.
std::vector<std::string> own_environment() {
  std::vector<std::string> kept;
  for (char** entry = environ; *entry; ++entry) {
    const std::string_view text = *entry;
    if (!text.starts_with("OMPI_") && !text.starts_with("PMIX_") && !text.starts_with("PMI_")) kept.emplace_back(text);
  }
  return kept;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (std::string& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

/// What a child's files are to be; released with it.
struct FileActions {
  posix_spawn_file_actions_t actions;
  FileActions() { posix_spawn_file_actions_init(&actions); }
  ~FileActions() { posix_spawn_file_actions_destroy(&actions); }
  FileActions(const FileActions&) = delete;
  FileActions& operator=(const FileActions&) = delete;
};

}  // namespace

pid_t start_run(const std::vector<std::string>& arguments, const std::string& output) {
  const std::string program = boost::dll::program_location().string();
  std::vector<std::string> words{program};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<std::string> environment = own_environment();
  FileActions files;
  posix_spawn_file_actions_addopen(&files.actions, STDOUT_FILENO, output.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
  posix_spawn_file_actions_adddup2(&files.actions, STDOUT_FILENO, STDERR_FILENO);
  pid_t process = 0;
  const int error = posix_spawn(&process, program.c_str(), &files.actions, nullptr, pointers(words).data(),
                                pointers(environment).data());
  if (error != 0) throw std::runtime_error(fmt::format("{}: cannot be started: {}", program, std::strerror(error)));
  return process;
}

pid_t start_command(std::vector<std::string> words) {
  pid_t process = 0;
  const std::string program = words.at(0);
  const int error = posix_spawnp(&process, program.c_str(), nullptr, nullptr, pointers(words).data(), environ);
  if (error != 0) throw std::runtime_error(fmt::format("{}: cannot be started: {}", program, std::strerror(error)));
  return process;
}

std::string last_sentence(const std::string& output) {
  std::ifstream stream(output);
  std::string found;
  for (std::string line; std::getline(stream, line);)
    if (line.starts_with("lopt-run: ")) found = line.substr(10);
  return found.empty() ? "it ended without a word" : found;
}

EndedRun wait_for_run(const std::vector<pid_t>& processes) {
  bool told = false;
  while (true) {
    for (const pid_t process : processes) {
      int status = 0;
      if (waitpid(process, &status, WNOHANG) == process)
        return {process, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status)};
    }
    if (stop_wanted() && !told) {
      for (const pid_t process : processes) kill(process, SIGINT);
      told = true;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

}  // namespace lopt
