#pragma once
// An optimizer whose rate is to be found: the same spec with one rate or another.

#include "registry/registry.h"

#include <lopt/optimizer.h>

namespace lopt {

/// `{plugin: adam}`, `adam`, or with a schedule whose height is tuned: `{plugin: adam, learning_rate: {plugin:
/// cosine}}`. Of an optimizer around an optimizer the rate of the inner one is tuned.
class TunedOptimizer {
 public:
  /// Reports what is wrong with the spec: a rate of its own, or no rate at all.
  TunedOptimizer(SpecNode node, std::string path, Registry& registry, SpecErrors& errors);

  /// Not to be called where the spec was wrong.
  std::shared_ptr<const Optimizer> with_rate(double rate) const;
  /// "adam", "adam (cosine)", "clip_by_norm adam".
  const std::string& label() const { return label_; }
  /// All settings but the rate.
  const SpecNode& resolved() const { return resolved_; }

 private:
  SpecNode with(SpecNode node, double rate) const;

  SpecNode node_;
  std::string path_, label_;
  std::shared_ptr<Registry> registry_;  // of its own: rates are tried long after a spec was read
  std::vector<std::string> keys_;       // of the rate: inner, learning_rate, value
  SpecNode resolved_;
};

}  // namespace lopt
