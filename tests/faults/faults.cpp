// Preloaded into the runner by tests: the nth call that changes a file fails, or kills the process.
//   LOPT_FAULT=fail:N   call N of write (to regular files), fsync, rename and ftruncate fails with "No space left"
//   LOPT_FAULT=fail:N+  all calls from N on
//   LOPT_FAULT=kill:N   the process is killed inside call N: half of a write is done
//   LOPT_FAULT=no-locks:0  flock is not to be had, as on some file systems of clusters; nothing else fails
//   LOPT_FAULT_COUNT=F  the number of calls is written to the file F when the process ends
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

std::atomic<long> calls = 0;

template <class Function>
Function real(const char* name) {
  return reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));
}

enum class Fate { pass, fail, die };
Fate fate_of_call() {
  const long number = ++calls;
  const char* text = std::getenv("LOPT_FAULT");
  if (!text || text[0] == 'n') return Fate::pass;
  char* end = nullptr;
  const long wanted = std::strtol(std::strchr(text, ':') + 1, &end, 10);
  const bool hit = *end == '+' ? number >= wanted : number == wanted;
  if (!hit) return Fate::pass;
  return text[0] == 'k' ? Fate::die : Fate::fail;
}

int failed() {
  errno = ENOSPC;
  return -1;
}

struct AtEnd {
  ~AtEnd() {
    const char* path = std::getenv("LOPT_FAULT_COUNT");
    if (!path || calls == 0) return;  // a symbolizer, say, which a sanitizer started
    if (std::FILE* file = std::fopen(path, "w")) {
      std::fprintf(file, "%ld\n", calls.load());
      std::fclose(file);
    }
  }
} at_end;

}  // namespace

extern "C" {

ssize_t write(int file, const void* data, size_t size) {
  const auto next = real<ssize_t (*)(int, const void*, size_t)>("write");
  struct stat status {};
  if (file <= 2 || ::fstat(file, &status) != 0 || !S_ISREG(status.st_mode)) return next(file, data, size);
  switch (fate_of_call()) {
    case Fate::fail: return failed();
    case Fate::die:
      next(file, data, size / 2);
      ::raise(SIGKILL);
      [[fallthrough]];
    default: return next(file, data, size);
  }
}

int fsync(int file) {
  const Fate fate = fate_of_call();
  if (fate == Fate::die) ::raise(SIGKILL);
  return fate == Fate::fail ? failed() : real<int (*)(int)>("fsync")(file);
}

int flock(int file, int how) noexcept {
  const char* text = std::getenv("LOPT_FAULT");
  if (!text || text[0] != 'n') return real<int (*)(int, int)>("flock")(file, how);
  errno = ENOSYS;
  return -1;
}

int rename(const char* from, const char* to) noexcept {
  const Fate fate = fate_of_call();
  if (fate == Fate::die) ::raise(SIGKILL);
  return fate == Fate::fail ? failed() : real<int (*)(const char*, const char*)>("rename")(from, to);
}

int ftruncate(int file, off_t size) noexcept {
  const Fate fate = fate_of_call();
  if (fate == Fate::die) ::raise(SIGKILL);
  return fate == Fate::fail ? failed() : real<int (*)(int, off_t)>("ftruncate")(file, size);
}
}
