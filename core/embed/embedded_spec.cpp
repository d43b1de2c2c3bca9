#include "embed/embedded_spec.h"

#include "learn/named_tasks.h"
#include "learn/theta_file.h"
#include "registry/foreign.h"

#include <algorithm>

namespace lopt {
namespace {

/// All texts of a spec that may be a plugin's name.
void collect_names(const SpecNode& node, std::set<std::string>& names) {
  const auto in_name = [](char c) { return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z'); };
  if (node.kind == SpecNode::Kind::scalar && std::all_of(node.text.begin(), node.text.end(), in_name))
    names.insert(node.text);
  for (const SpecNode& item : node.items) collect_names(item, names);
  for (const auto& [key, value] : node.entries) collect_names(value, names);
}

/// Components in another language name others themselves.
bool names_foreign(const SpecNode& node) {
  const auto below = [](const auto& entry) { return names_foreign(entry.second); };
  return (node.kind == SpecNode::Kind::scalar && is_foreign_name(node.text)) ||
         std::any_of(node.items.begin(), node.items.end(), names_foreign) ||
         std::any_of(node.entries.begin(), node.entries.end(), [&](const auto& entry) {
           return entry.first == "plugin" ? below(entry) : entry.second.kind != SpecNode::Kind::scalar && below(entry);
         });
}

/// Takes `plugin_path` out of the spec.
std::vector<std::string> take_plugin_paths(SpecNode& spec) {
  std::vector<std::string> paths;
  const SpecNode* node = spec.is_mapping() ? spec.find("plugin_path") : nullptr;
  if (!node) return paths;
  if (node->kind == SpecNode::Kind::scalar) paths.push_back(node->text);
  for (const SpecNode& item : node->items) paths.push_back(item.text);
  std::erase_if(spec.entries, [](const auto& entry) { return entry.first == "plugin_path"; });
  return paths;
}

}  // namespace

EmbeddedComponent component_of(const std::string& kind, const std::string& path, const std::string& text) {
  SpecNode spec = parse_spec(text, "the " + path + "'s spec");
  EmbeddedComponent result;
  result.registry = std::make_unique<Registry>();
  for (const std::string& plugins : take_plugin_paths(spec))
    result.registry->add_path(plugins, "plugin_path of the spec", true);
  name_learned_rules(spec);
  result.registry->add_paths_of_user();
  std::set<std::string> names;
  collect_names(spec, names);
  result.registry->add_named(names);
  if (names_foreign(spec)) result.registry->add_default_paths();
  const auto make = [&](SpecErrors& errors) {
    result.component = result.registry->make(kind, spec, path, errors, result.resolved);
    return errors.empty() && result.component;
  };
  if (SpecErrors errors; !make(errors)) {
    result.registry->add_default_paths();
    SpecErrors of_all;
    if (!make(of_all)) of_all.raise();
  }
  return result;
}

}  // namespace lopt
