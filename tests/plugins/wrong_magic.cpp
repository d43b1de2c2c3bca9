#include "still.h"
constexpr lopt_manifest changed() {
  lopt_manifest manifest = still_manifest;
  manifest.magic[0] = 'x';
  return manifest;
}
extern "C" constexpr lopt_manifest lopt_plugin_manifest = changed();
