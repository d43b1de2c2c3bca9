#include "still.h"
constexpr lopt_manifest changed() {
  lopt_manifest manifest = still_manifest;
  manifest.fingerprint = "c++abi-1002 libstdc++-cxx11-0 sdk-0";
  return manifest;
}
extern "C" constexpr lopt_manifest lopt_plugin_manifest = changed();
