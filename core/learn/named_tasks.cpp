#include "learn/named_tasks.h"

#include <fmt/format.h>

#include <algorithm>

namespace lopt {
namespace {

/// The family of a spec that names one task.
class SingleTask final : public TaskFamily {
 public:
  SingleTask(std::shared_ptr<const Task> task, std::string text) : task_(std::move(task)), text_(std::move(text)) {}
  std::size_t size() const override { return 1; }
  const Task& task(std::size_t) const override { return *task_; }
  std::string description(std::size_t) const override { return text_; }

 private:
  std::shared_ptr<const Task> task_;
  std::string text_;
};

}  // namespace

std::shared_ptr<const TaskFamily> family_of(std::shared_ptr<const Task> task, std::string description) {
  return std::make_shared<SingleTask>(std::move(task), std::move(description));
}
std::shared_ptr<const TaskFamily> family_of_member(const std::shared_ptr<const TaskFamily>& family,
                                                   std::size_t member) {
  return family_of(std::shared_ptr<const Task>(family, &family->task(member)), family->description(member));
}

std::string Labels::unique(std::string label) {
  const std::string base = label;
  for (int number = 2; std::find(given_.begin(), given_.end(), label) != given_.end(); ++number)
    label = fmt::format("{} {}", base, number);
  given_.push_back(label);
  return label;
}

std::string plugin_of(const SpecNode& node) {
  if (node.kind == SpecNode::Kind::scalar) return node.text;
  const SpecNode* plugin = node.find("plugin");
  return plugin ? plugin->text : "";
}

void read_named(SpecReader& reader, const SpecNode& mapping, const std::string& prefix, const std::string& key,
                const AddNamed& add) {
  const SpecNode* node = reader.take(key, fmt::format("list of {}, or mapping of names to them", key),
                                     key == "tasks" ? "tasks or families" : "optimizers; {tuned: adam} finds its rate");
  const std::size_t count = !node ? 0 : node->is_mapping() ? node->entries.size() : node->items.size();
  if (count == 0)
    return reader.error(node ? *node : mapping, key, "must be a list, or a mapping of names, with at least one");
  SpecNode resolved = SpecNode::mapping();
  Labels labels;
  for (std::size_t i = 0; i < count; ++i) {
    const std::string label = node->is_mapping() ? node->entries[i].first : "";
    const SpecNode& item = node->is_mapping() ? node->entries[i].second : node->items[i];
    const std::string path =
        prefix + (node->is_mapping() ? fmt::format("{}.{}", key, label) : fmt::format("{}[{}]", key, i));
    SpecNode whole = add(label, item, path, labels);
    resolved.set(labels.last(), std::move(whole));
  }
  reader.set_resolved(key, std::move(resolved));
}

std::vector<NamedFamily> read_named_families(SpecReader& reader, const SpecNode& mapping, const std::string& prefix,
                                             const std::string& key, Registry& registry, SpecErrors& errors) {
  std::vector<NamedFamily> result;
  read_named(reader, mapping, prefix, key,
             [&](const std::string& label, const SpecNode& node, const std::string& path, Labels& labels) {
               SpecNode resolved;
               const std::string plugin = plugin_of(node);
               const bool family =
                   registry.find(Task::kind, plugin).empty() && !registry.find(TaskFamily::kind, plugin).empty();
               auto made = registry.make(family ? TaskFamily::kind : Task::kind, node, path, errors, resolved);
               const std::string name = labels.unique(label.empty() ? plugin : label);
               if (made)
                 result.push_back({name, family ? std::static_pointer_cast<const TaskFamily>(made)
                                                : family_of(std::static_pointer_cast<const Task>(made))});
               return resolved;
             });
  return result;
}

}  // namespace lopt
