#include "execute/executor.h"
#include "registry/registry.h"

#include <lopt/testing.h>

namespace lopt::testing {

std::shared_ptr<const void> make_component(const std::string& kind, const std::string& file, const std::string& name,
                                           const std::string& settings) {
  Registry registry;
  registry.add_path(file, "the test", true);
  registry.add_default_paths();
  for (const ComponentInfo& component : registry.components()) {
    if (component.kind != kind || component.name != name || component.library_path != file) continue;
    SpecErrors errors;
    SpecNode resolved;
    auto object = registry.make_from(component, parse_spec(settings, "settings"), name, errors, resolved);
    errors.raise();
    return object;
  }
  throw PluginError(file + ": offers no " + kind + " '" + name + "'");
}

Values evaluate(const std::function<Tree(const Tree& inputs)>& function, const Values& inputs) {
  const Tree traced = map([](const Array& value) { return make_input("input", value.type()); }, inputs);
  const Tree result = function(traced);
  const Executable program = compile(make_program("test", traced.leaves(), result.leaves()));
  return types_of(result).with_leaves<Array>(program.run(inputs.leaves()));
}

}  // namespace lopt::testing
