#pragma once
// A component under test.

#include "registry/registry.h"

#include <lopt/estimator.h>
#include <lopt/optimizer.h>
#include <lopt/task.h>

namespace lopt {

struct Subject {
  Registry& registry;
  const ComponentInfo& component;
  SpecNode settings;  // beside the defaults

  /// Makes the component, with `more` settings instead of some. Throws SpecError or PluginError.
  std::shared_ptr<const void> make(const SpecNode& more = SpecNode::mapping()) const;
  template <class Kind>
  std::shared_ptr<const Kind> as(const SpecNode& more = SpecNode::mapping()) const {
    return std::static_pointer_cast<const Kind>(make(more));
  }
  std::vector<Declaration> declarations() const { return registry.describe(component); }

  /// What a learned optimizer under test, or an optimizer, makes of meta-parameters; these begin as `theta`.
  struct Rule {
    std::function<std::shared_ptr<const Optimizer>(const Tree& theta)> optimizer;
    Values theta;
  };
  Rule rule() const;
  /// The tasks of a task or of a family under test: of a family a few.
  std::vector<std::shared_ptr<const Task>> tasks() const;
};

}  // namespace lopt
