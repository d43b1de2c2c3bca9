#include "learn/comparison.h"

#include "learn/tuned_optimizer.h"

namespace lopt {
namespace {

/// Half-decades, among which `tuned` chooses.
constexpr double tuning_rates[] = {1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1, 3};

}  // namespace

std::optional<Comparison> read_comparison(const SpecNode& node, const std::string& path, Registry& registry,
                                          SpecErrors& errors, SpecNode& resolved) {
  if (const SpecNode* tuned = node.find("tuned"); tuned && node.entries.size() == 1) {
    SpecErrors own;
    const TunedOptimizer optimizer(*tuned, path + ".tuned", registry, own);
    resolved = SpecNode::mapping();
    if (!own.empty()) {
      errors.add(own);
      return std::nullopt;
    }
    Comparison comparison{optimizer.label(), nullptr, {}};
    for (const double rate : tuning_rates) comparison.candidates.push_back({rate, optimizer.with_rate(rate)});
    resolved.set("tuned", optimizer.resolved());
    return comparison;
  }
  auto made = registry.make(Optimizer::kind, node, path, errors, resolved);
  if (!made) return std::nullopt;
  std::string label = resolved.find("plugin") ? resolved.find("plugin")->text : "";
  if (const SpecNode* rate = resolved.find("learning_rate")) label += " " + rate->text;
  return Comparison{label, std::static_pointer_cast<const Optimizer>(made)};
}

}  // namespace lopt
