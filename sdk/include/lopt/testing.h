#pragma once
// For tests of plugins: makes components as the runner does, and runs what they trace. Link with lopt::sdk.

#include <lopt/tree.h>

namespace lopt::testing {

/// A component of a plugin file, made from settings in YAML. Throws std::runtime_error with the runner's sentence.
std::shared_ptr<const void> make_component(const std::string& kind, const std::string& file, const std::string& name,
                                           const std::string& settings);
/// make<Optimizer>("build/my_sgd.so", "my_sgd", "{learning_rate: 0.1}").
template <class Component>
std::shared_ptr<const Component> make(const std::string& file, const std::string& name,
                                      const std::string& settings = "{}") {
  return std::static_pointer_cast<const Component>(make_component(Component::kind, file, name, settings));
}

/// Traces the function on a tree shaped like `inputs`, plans the program, and runs it on their values.
Values evaluate(const std::function<Tree(const Tree& inputs)>& function, const Values& inputs);

}  // namespace lopt::testing
