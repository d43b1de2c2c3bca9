#include "still.h"
static constexpr lopt_component components[] = {lopt::component<Still>("still"), lopt::component<Still>("still")};
extern "C" constexpr lopt_manifest lopt_plugin_manifest = lopt::manifest(components);
