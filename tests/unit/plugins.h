#pragma once
// The plugins that were built, for unit tests that use some.

#include "registry/registry.h"

namespace lopt::test {

inline Registry& registry() {
  static Registry all = [] {
    Registry made;
    made.add_path(LOPT_BINARY "/lib/lopt/plugins", "the test", true);
    return made;
  }();
  return all;
}

/// A component from its spec. Throws SpecError where something is wrong with it.
template <class Component>
std::shared_ptr<const Component> make(const std::string& spec) {
  SpecErrors errors;
  SpecNode resolved;
  auto object = registry().make(Component::kind, parse_spec(spec, "test"), Component::kind, errors, resolved);
  errors.raise();
  return std::static_pointer_cast<const Component>(object);
}

}  // namespace lopt::test
