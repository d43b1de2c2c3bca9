#pragma once
// An optimizer to compare with, of which a spec may leave the rate to be tuned.

#include "learn/tuned_optimizer.h"

#include <optional>

namespace lopt {

struct Comparison {
  std::string label;
  std::shared_ptr<const Optimizer> optimizer;  // null where its rate is to be tuned
  std::shared_ptr<const TunedOptimizer> tuned = {};
};

/// `{plugin: sgd, learning_rate: 0.1}`, or `{tuned: adam}`, whose rate a RateSearch finds. Null where it is unusable
/// (an error is then reported); `resolved` is the node with every default.
std::optional<Comparison> read_comparison(const SpecNode& node, const std::string& path, Registry& registry,
                                          SpecErrors& errors, SpecNode& resolved);

}  // namespace lopt
