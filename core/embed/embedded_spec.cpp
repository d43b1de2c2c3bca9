#include "embed/embedded_spec.h"

#include "learn/named_tasks.h"
#include "learn/theta_file.h"

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

EmbeddedSpec optimizer_of(const std::string& text) {
  SpecNode spec = parse_spec(text, "the optimizer's spec");
  EmbeddedSpec result{std::make_unique<Registry>(), nullptr, ""};
  for (const std::string& path : take_plugin_paths(spec))
    result.registry->add_path(path, "plugin_path of the spec", true);
  name_learned_rules(spec);
  result.registry->add_paths_of_user();
  std::set<std::string> names;
  collect_names(spec, names);
  result.registry->add_named(names);
  SpecNode resolved;
  const auto make = [&](SpecErrors& errors) {
    result.optimizer = std::static_pointer_cast<const Optimizer>(
        result.registry->make(Optimizer::kind, spec, "optimizer", errors, resolved));
    return errors.empty() && result.optimizer;
  };
  if (SpecErrors errors; !make(errors)) {
    result.registry->add_default_paths();
    SpecErrors of_all;
    if (!make(of_all)) of_all.raise();
  }
  const SpecNode* learned = resolved.find("learned_optimizer");
  result.rule = plugin_of(resolved) + (learned ? " " + plugin_of(*learned) : "");
  return result;
}

}  // namespace lopt
