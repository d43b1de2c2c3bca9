// Does not come back from a static constructor.
#include "still.h"

#include <unistd.h>

namespace {
struct Hang {
  Hang() {
    for (;;) ::pause();
  }
} hang;
}  // namespace
extern "C" constexpr lopt_manifest lopt_plugin_manifest = still_manifest;
