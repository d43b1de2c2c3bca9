#include "spec/differences.h"

#include <algorithm>

namespace lopt {
namespace {

void collect(const std::vector<const SpecNode*>& nodes, const std::string& path, std::vector<SpecDifference>& found) {
  std::vector<std::string> texts;
  for (const SpecNode* node : nodes) texts.push_back(node ? to_line(*node) : "");
  if (std::ranges::all_of(texts, [&](const std::string& text) { return text == texts.front(); })) return;
  const bool all_mappings = std::ranges::all_of(nodes, [](const SpecNode* node) { return node && node->is_mapping(); });
  // Settings of different plugins are not compared one by one.
  const auto plugin_of = [](const SpecNode& node) {
    const SpecNode* plugin = node.find("plugin");
    return plugin ? to_line(*plugin) : "";
  };
  const bool alike = all_mappings && std::ranges::all_of(nodes, [&](const SpecNode* node) {
                       return plugin_of(*node) == plugin_of(*nodes.front());
                     });
  if (!alike) {
    found.push_back({path, std::move(texts)});
    return;
  }
  std::vector<std::string> keys;
  for (const SpecNode* node : nodes)
    for (const auto& [key, value] : node->entries)
      if (std::ranges::find(keys, key) == keys.end()) keys.push_back(key);
  for (const std::string& key : keys) {
    std::vector<const SpecNode*> children;
    for (const SpecNode* node : nodes) children.push_back(node->find(key));
    collect(children, path.empty() ? key : path + "." + key, found);
  }
}

}  // namespace

std::vector<SpecDifference> differences_of(const std::vector<SpecNode>& specs) {
  std::vector<const SpecNode*> nodes;
  nodes.reserve(specs.size());
  for (const SpecNode& spec : specs) nodes.push_back(&spec);
  std::vector<SpecDifference> found;
  if (!nodes.empty()) collect(nodes, "", found);
  return found;
}

}  // namespace lopt
