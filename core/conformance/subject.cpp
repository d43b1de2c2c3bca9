#include "conformance/subject.h"

#include "learn/training.h"

#include <algorithm>

namespace lopt {

std::shared_ptr<const void> Subject::make(const SpecNode& more) const {
  SpecNode mapping = SpecNode::mapping();
  const std::vector<Declaration> declared = declarations();
  for (const auto* source : {&settings, &more})
    for (const auto& entry : source->entries)
      if (std::any_of(declared.begin(), declared.end(), [&](const Declaration& d) { return d.name == entry.first; }))
        mapping.set(entry.first, entry.second);
  SpecErrors errors;
  SpecNode resolved;
  std::shared_ptr<const void> object = registry.make_from(component, mapping, component.name, errors, resolved);
  errors.raise();
  return object;
}

Subject::Rule Subject::rule() const {
  if (component.kind == Optimizer::kind)
    return {[optimizer = as<Optimizer>()](const Tree&) { return optimizer; }, Values(std::vector<Values::Entry>{})};
  const auto learned = as<LearnedOptimizer>();
  return {[learned](const Tree& theta) { return std::shared_ptr<const Optimizer>(learned->opt_fn(theta)); },
          initial_theta(*learned, 0)};
}

std::vector<std::shared_ptr<const Task>> Subject::tasks() const {
  if (component.kind == Task::kind) return {as<Task>()};
  const auto family = as<TaskFamily>();
  std::vector<std::shared_ptr<const Task>> tasks;
  for (std::size_t i = 0; i < std::min<std::size_t>(4, family->size()); ++i)
    tasks.emplace_back(family, &family->task(i));
  return tasks;
}

}  // namespace lopt
