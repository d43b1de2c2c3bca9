#include "still.h"
static constexpr lopt_component components[] = {[] {
  lopt_component component = still_components[0];
  component.create = nullptr;
  return component;
}()};
extern "C" constexpr lopt_manifest lopt_plugin_manifest = lopt::manifest(components);
