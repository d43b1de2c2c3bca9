#include "registry/child_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>

namespace lopt {
namespace {

constexpr std::uint32_t end_mark = 0xffffffffU;  // instead of a report's length: the work returned

void write_all(int file, const void* data, std::size_t size) {
  const char* at = static_cast<const char*>(data);
  while (size > 0) {
    const ssize_t written = ::write(file, at, size);
    if (written < 0 && errno != EINTR) _exit(1);
    if (written < 0) continue;
    at += written;
    size -= static_cast<std::size_t>(written);
  }
}

[[noreturn]] void be_child(int pipe, pid_t parent, const std::function<void(const SendReport&)>& work) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) _exit(1);
  for (int signal : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS, SIGABRT, SIGXCPU, SIGINT, SIGTERM})
    std::signal(signal, SIG_DFL);
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  const int nowhere = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int stream : {0, 1, 2}) ::dup2(nowhere, stream);
  try {
    work([&](const std::string& report) {
      const auto size = static_cast<std::uint32_t>(report.size());
      write_all(pipe, &size, sizeof size);
      write_all(pipe, report.data(), report.size());
    });
    write_all(pipe, &end_mark, sizeof end_mark);
    _exit(0);
  } catch (...) {
    _exit(1);  // what is above on the stack is the parent's
  }
}

/// Takes whole reports from what was read so far; true where the end is among them.
bool take_reports(std::string& read, std::vector<std::string>& reports) {
  std::uint32_t size = 0;
  while (read.size() >= sizeof size) {
    std::memcpy(&size, read.data(), sizeof size);
    if (size == end_mark) return true;
    if (read.size() - sizeof size < size) return false;
    reports.push_back(read.substr(sizeof size, size));
    read.erase(0, sizeof size + size);
  }
  return false;
}

std::string how_it_ended(int status) {
  if (WIFSIGNALED(status)) return fmt::format("it crashed ({})", strsignal(WTERMSIG(status)));
  return fmt::format("it ended the process (exit code {})", WEXITSTATUS(status));
}

}  // namespace

ChildEnd run_in_child(const std::function<void(const SendReport&)>& work, double seconds) {
  using Clock = std::chrono::steady_clock;
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error(fmt::format("no pipe: {}", std::strerror(errno)));
  const pid_t parent = ::getpid(), child = ::fork();
  if (child < 0) {
    ::close(ends[0]);
    ::close(ends[1]);
    throw std::runtime_error(fmt::format("no child process: {}", std::strerror(errno)));
  }
  if (child == 0) be_child(ends[1], parent, work);
  ::close(ends[1]);
  ChildEnd end;
  std::string read;
  const auto limit = std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  auto deadline = Clock::now() + limit;
  for (bool open = true; open && !end.finished;) {
    pollfd wait{ends[0], POLLIN, 0};
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) break;
    if (::poll(&wait, 1, static_cast<int>(left) + 1) <= 0) continue;
    char block[4096];
    const ssize_t got = ::read(ends[0], block, sizeof block);
    if (got < 0 && errno == EINTR) continue;
    open = got > 0;
    if (open) read.append(block, static_cast<std::size_t>(got));
    const std::size_t before = end.reports.size();
    end.finished = take_reports(read, end.reports);
    if (end.reports.size() > before) deadline = Clock::now() + limit;
  }
  ::close(ends[0]);
  end.late = !end.finished && Clock::now() >= deadline;
  if (end.late || end.finished) ::kill(child, SIGKILL);  // finished: threads that a plugin left behind
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  if (!end.finished) end.how = end.late ? fmt::format("it took longer than {:g} s", seconds) : how_it_ended(status);
  return end;
}

}  // namespace lopt
