// A table that is nowhere.
#include "still.h"
lopt_manifest changed() {
  lopt_manifest manifest = still_manifest;
  manifest.components = reinterpret_cast<const lopt_component*>(sizeof(lopt_component));  // no page is mapped there
  return manifest;
}
extern "C" const lopt_manifest lopt_plugin_manifest = changed();
