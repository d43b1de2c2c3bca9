#include "learn/tuned_optimizer.h"

#include "learn/named_tasks.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <span>

namespace lopt {
namespace {

/// A name alone as a mapping with `plugin`.
void as_mapping(SpecNode& node) {
  if (node.kind != SpecNode::Kind::scalar) return;
  SpecNode mapping = SpecNode::mapping({{"plugin", node}});
  mapping.where = node.where;
  node = std::move(mapping);
}

/// Sets the value at a path of keys, the mappings on the way being there.
void set_at(SpecNode& node, std::span<const std::string> keys, SpecNode value) {
  if (keys.size() == 1) return node.set(keys[0], std::move(value));
  if (SpecNode* inner = node.find(keys[0])) set_at(*inner, keys.subspan(1), std::move(value));
}

}  // namespace

TunedOptimizer::TunedOptimizer(SpecNode node, std::string path, Registry& registry, SpecErrors& errors)
    : node_(std::move(node)), path_(std::move(path)) {
  as_mapping(node_);
  const Location where = node_.where;
  SpecNode* place = &node_;
  label_ = plugin_of(*place);
  bool is_from_file = false;  // the rate of what was trained stands in its file: it is tuned all the same
  while (!place->find("learning_rate")) {
    const char* const key = place->find("inner") ? "inner" : "learned_optimizer";
    if (!place->find(key)) break;
    place = place->find(key);
    as_mapping(*place);
    keys_.emplace_back(key);
    is_from_file = keys_.back() == "learned_optimizer";
    label_ += " " + plugin_of(*place);
  }
  keys_.emplace_back("learning_rate");
  SpecNode* rate = place->find("learning_rate");
  while (rate && rate->is_mapping()) {
    label_ += fmt::format(" ({})", plugin_of(*rate));
    const bool goes_on = rate->find("then") || plugin_of(*rate) == "warm_up";
    keys_.emplace_back(goes_on ? "then" : "value");
    rate = rate->find(keys_.back());
  }
  if (rate && rate->kind != SpecNode::Kind::null && !is_from_file) {
    errors.add(where, path_, fmt::format("has a {}, which is what is tuned: leave it out", fmt::join(keys_, ".")));
    return;
  }
  // Without a rate first, where one may be missing: a plugin that has none says so.
  const bool is_plain = keys_.back() == "learning_rate" && !is_from_file;
  if (!registry.make(Optimizer::kind, is_plain ? node_ : with(node_, 0.01), path_, errors, resolved_)) return;
  const SpecNode* found = &resolved_;
  for (const std::string& key : keys_) found = found ? found->find(key) : nullptr;
  if (!found) {
    errors.add(where, path_, "has no setting learning_rate that could be tuned");
    return;
  }
  registry_ = std::make_shared<Registry>(registry);
  set_at(resolved_, keys_, SpecNode());
  // A rate that was not there is named nowhere.
  if (keys_.size() == 1) std::erase_if(resolved_.entries, [](const auto& e) { return e.first == "learning_rate"; });
}

SpecNode TunedOptimizer::with(SpecNode node, double rate) const {
  set_at(node, keys_, SpecNode::scalar(fmt::format("{}", rate)));
  return node;
}

std::shared_ptr<const Optimizer> TunedOptimizer::with_rate(double rate) const {
  SpecErrors errors;
  SpecNode resolved;
  auto made = registry_->make(Optimizer::kind, with(node_, rate), path_, errors, resolved);
  errors.raise();
  return std::static_pointer_cast<const Optimizer>(made);
}

}  // namespace lopt
