// A table that is nowhere.
#include "still.h"
constexpr lopt_manifest changed() {
  lopt_manifest manifest = still_manifest;
  manifest.component_count = 1000000;
  return manifest;
}
extern "C" constexpr lopt_manifest lopt_plugin_manifest = changed();
