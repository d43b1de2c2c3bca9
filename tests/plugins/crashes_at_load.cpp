// Crashes in a static constructor.
#include "still.h"

#include <csignal>

namespace {
struct Crash {
  Crash() { std::raise(SIGSEGV); }
} crash;
}  // namespace
extern "C" constexpr lopt_manifest lopt_plugin_manifest = still_manifest;
