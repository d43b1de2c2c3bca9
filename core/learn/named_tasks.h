#pragma once
// Tasks and families that a spec names: a list, or a mapping of names.

#include "registry/registry.h"
#include "spec/reader.h"

#include <lopt/task.h>

#include <functional>

namespace lopt {

/// A family of one task.
std::shared_ptr<const TaskFamily> family_of(std::shared_ptr<const Task> task, std::string description = "");
/// One member of a family, as a family.
std::shared_ptr<const TaskFamily> family_of_member(const std::shared_ptr<const TaskFamily>& family, std::size_t member);

struct NamedFamily {
  std::string label;
  std::shared_ptr<const TaskFamily> family;
};

/// Labels that differ.
class Labels {
 public:
  /// The label, with a number behind it where it has been given before.
  std::string unique(std::string label);
  const std::string& last() const { return given_.back(); }

 private:
  std::vector<std::string> given_;
};

/// The plugin that a component's node names.
std::string plugin_of(const SpecNode& node);

/// Calls add(label, node, path, labels) for the entries of a list, without a label, or of a mapping from labels; keeps
/// what it returns in the resolved spec. `prefix`: the path of the mapping that has the key. Reports what is neither.
using AddNamed =
    std::function<SpecNode(const std::string& label, const SpecNode& node, const std::string& path, Labels& labels)>;
void read_named(SpecReader& reader, const SpecNode& mapping, const std::string& prefix, const std::string& key,
                const AddNamed& add);

/// The tasks and families of a key.
std::vector<NamedFamily> read_named_families(SpecReader& reader, const SpecNode& mapping, const std::string& prefix,
                                             const std::string& key, Registry& registry, SpecErrors& errors);

}  // namespace lopt
