#include "still.h"
constexpr lopt_manifest changed() {
  lopt_manifest manifest = still_manifest;
  manifest.component_count = 0;
  return manifest;
}
extern "C" constexpr lopt_manifest lopt_plugin_manifest = changed();
