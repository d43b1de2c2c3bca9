// Ends the process in a static constructor.
#include "still.h"

#include <cstdlib>

namespace {
struct Exit {
  Exit() { std::_Exit(7); }
} leave;
}  // namespace
extern "C" constexpr lopt_manifest lopt_plugin_manifest = still_manifest;
