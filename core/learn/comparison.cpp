#include "learn/comparison.h"

namespace lopt {

std::optional<Comparison> read_comparison(const SpecNode& node, const std::string& path, Registry& registry,
                                          SpecErrors& errors, SpecNode& resolved) {
  if (const SpecNode* tuned = node.find("tuned"); tuned && node.entries.size() == 1) {
    SpecErrors own;
    auto optimizer = std::make_shared<const TunedOptimizer>(*tuned, path + ".tuned", registry, own);
    resolved = SpecNode::mapping();
    if (!own.empty()) {
      errors.add(own);
      return std::nullopt;
    }
    resolved.set("tuned", optimizer->resolved());
    return Comparison{optimizer->label(), nullptr, std::move(optimizer)};
  }
  auto made = registry.make(Optimizer::kind, node, path, errors, resolved);
  if (!made) return std::nullopt;
  std::string label = resolved.find("plugin") ? resolved.find("plugin")->text : "";
  if (const SpecNode* rate = resolved.find("learning_rate")) label += " " + rate->text;
  return Comparison{label, std::static_pointer_cast<const Optimizer>(made)};
}

}  // namespace lopt
