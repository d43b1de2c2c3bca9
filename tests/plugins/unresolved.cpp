#include "still.h"
void nobody_defines_this();
extern "C" void caller() { nobody_defines_this(); }
extern "C" constexpr lopt_manifest lopt_plugin_manifest = still_manifest;
