#pragma once
#include <lopt/plugin.h>

/// An optimizer that leaves the parameters where they are: what the plugins of this folder are made of.
class Still : public lopt::Optimizer {
 public:
  explicit Still(lopt::Settings&) {}
  lopt::Tree init(const lopt::Tree& params, const lopt::InitContext&) const override { return {{"params", params}}; }
  lopt::Tree update(const lopt::Tree& state, const lopt::Tree&, const lopt::UpdateContext&) const override {
    return state;
  }
  lopt::Tree params(const lopt::Tree& state) const override { return state["params"]; }
};

/// A manifest of one component, to be changed.
inline constexpr lopt_component still_components[] = {lopt::component<Still>("still")};
inline constexpr lopt_manifest still_manifest = lopt::manifest(still_components);

extern "C" __attribute__((visibility("default"))) const lopt_manifest lopt_plugin_manifest;
