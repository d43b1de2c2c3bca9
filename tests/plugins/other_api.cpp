#include "still.h"
constexpr lopt_manifest changed() {
  lopt_manifest manifest = still_manifest;
  manifest.api_version = lopt::api_version + 41;
  return manifest;
}
extern "C" constexpr lopt_manifest lopt_plugin_manifest = changed();
