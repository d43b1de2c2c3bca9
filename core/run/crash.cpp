#include "run/crash.h"

#include "registry/guard.h"
#include "run/command_line.h"

#include <unistd.h>

#include <array>
#include <csignal>
#include <cstring>

namespace lopt {
namespace {

/// A stack of its own for the handler: the crash may be an overflow of the usual one.
std::array<std::byte, 1 << 16> handler_stack;

volatile std::sig_atomic_t handling = 0;

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

/// Calls only what POSIX allows in a signal handler.
extern "C" void on_crash(int signal) {
  if (handling) {  // what tells the call is broken too
    write_text("crashed, and its memory is broken; a plugin may have done it\n");
    _exit(failed);
  }
  handling = 1;
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
  action.sa_handler = on_crash;
  action.sa_flags = SA_ONSTACK | SA_NODEFER;
  for (int signal : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS, SIGABRT, SIGXCPU})
    ::sigaction(signal, &action, nullptr);
  limit_calls(seconds_of_a_call, SIGXCPU);
}

}  // namespace lopt
