#include "still.h"
static constexpr lopt_component components[] = {lopt::component<Still>("Not A Name")};
extern "C" constexpr lopt_manifest lopt_plugin_manifest = lopt::manifest(components);
