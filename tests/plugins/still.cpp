// A plugin that is right: with this one, the tests of wrong ones show that it is not the folder that is refused.
#include "still.h"
extern "C" constexpr lopt_manifest lopt_plugin_manifest = still_manifest;
