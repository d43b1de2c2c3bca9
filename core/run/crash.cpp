#include "run/crash.h"

#include "registry/guard.h"
#include "run/command_line.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstring>

namespace lopt {
namespace {

/// A stack of its own for the handler: the crash may be an overflow of the usual one.
std::array<std::byte, 1 << 16> handler_stack;

/// The thread that tells what has happened; 0 while nothing has.
std::atomic<pid_t> telling{0};
static_assert(std::atomic<pid_t>::is_always_lock_free);  // else no handler may use it

void write_text(const char* text) {
  if (::write(STDERR_FILENO, text, std::strlen(text)) < 0) _exit(failed);
}

const char* name_of(int signal) {
  switch (signal) {
    case SIGSEGV: return "segmentation fault";
    case SIGBUS: return "bus error";
    case SIGILL: return "illegal instruction";
    case SIGFPE: return "arithmetic exception";
    case SIGTRAP: return "trap";
    case SIGSYS: return "bad system call";
    default: return "abort";
  }
}

/// Lines of /proc/self/maps, read by what POSIX allows in a signal handler.
class Mappings {
 public:
  Mappings() : file_(::open("/proc/self/maps", O_RDONLY | O_CLOEXEC)) {}
  ~Mappings() { ::close(file_); }
  Mappings(const Mappings&) = delete;
  Mappings& operator=(const Mappings&) = delete;

  /// The path of the file that is mapped at an address; null where there is none.
  const char* path_at(std::uintptr_t address) {
    while (next_line()) {
      const char* at = line_.data();
      const std::uintptr_t begin = number(at), end = number(++at);
      if (address >= begin && address < end) return std::strchr(at, '/');
    }
    return nullptr;
  }

 private:
  bool next_line() {
    std::size_t length = 0;
    char c = 0;
    while (::read(file_, &c, 1) == 1 && c != '\n')
      if (length + 1 < line_.size()) line_[length++] = c;
    line_[length] = 0;
    return length > 0;
  }
  /// Hexadecimal; moves on to what stands behind it.
  static std::uintptr_t number(const char*& at) {
    std::uintptr_t value = 0;
    for (;; ++at)
      if (*at >= '0' && *at <= '9')
        value = value * 16 + static_cast<std::uintptr_t>(*at - '0');
      else if (*at >= 'a' && *at <= 'f')
        value = value * 16 + static_cast<std::uintptr_t>(*at - 'a' + 10);
      else
        return value;
  }

  int file_;
  std::array<char, 4096 + 128> line_{};
};

/// A file that is mapped and has become shorter than it was ends whoever reads what is no longer there.
void explain_short_file(const siginfo_t& info) {
  if (info.si_signo != SIGBUS || info.si_code != BUS_ADRERR) return;
  const char* path = Mappings().path_at(reinterpret_cast<std::uintptr_t>(info.si_addr));
  if (!path) return;
  write_text("\nlopt-run: ");
  write_text(path);
  write_text(
      ": was cut short while it was in use; once it is whole again, `lopt-run resume` goes on from the run's last "
      "checkpoint\n");
  _exit(bad_data);
}

/// Calls only what POSIX allows in a signal handler.
extern "C" void on_crash(int signal, siginfo_t* info, void*) {
  pid_t first = 0;
  if (const pid_t self = ::gettid(); !telling.compare_exchange_strong(first, self)) {
    if (first != self)
      for (;;) ::pause();  // several threads crash at once where they read one file; one of them ends all
    write_text("crashed, and its memory is broken; a plugin may have done it\n");  // what tells the call is broken too
    _exit(failed);
  }
  explain_short_file(*info);
  write_text("\nlopt-run: ");
  const PluginCall* call = PluginCall::current();
  if (signal == SIGXCPU) {
    write_text(call ? call->component() : "a plugin");
    write_text(" did not come back from ");
    write_text(call ? call->function() : "a call");
    write_text(" within 4 s of processor time; `lopt-run check-plugin` of its file may say more\n");
  } else if (call) {
    write_text(call->component());
    write_text(" crashed in ");
    write_text(call->function());
    write_text(" (");
    write_text(name_of(signal));
    write_text("); `lopt-run check-plugin` of its file may say more\n");
  } else {
    write_text("crashed (");
    write_text(name_of(signal));
    write_text("), not inside a call of a plugin; a plugin may have broken memory, else it is a fault of lopt\n");
  }
  _exit(call ? bad_plugin : failed);
}

constexpr double seconds_of_a_call = 4;

}  // namespace

void explain_crashes() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return;  // sanitizers explain more
#endif
  stack_t stack{};
  stack.ss_sp = handler_stack.data();
  stack.ss_size = handler_stack.size();
  ::sigaltstack(&stack, nullptr);
  struct sigaction action {};
  action.sa_sigaction = on_crash;
  action.sa_flags = SA_ONSTACK | SA_NODEFER | SA_SIGINFO;
  for (int signal : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS, SIGABRT, SIGXCPU})
    ::sigaction(signal, &action, nullptr);
  limit_calls(seconds_of_a_call, SIGXCPU);
}

}  // namespace lopt
