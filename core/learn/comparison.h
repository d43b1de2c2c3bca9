#pragma once
// An optimizer to compare with, of which a spec may leave the rate to be tuned.

#include "registry/registry.h"

#include <lopt/optimizer.h>

#include <optional>

namespace lopt {

struct Comparison {
  std::string label;
  std::shared_ptr<const Optimizer> optimizer;
  /// Where its rate is to be tuned: the same optimizer with each of these rates, `optimizer` being empty.
  struct Candidate {
    double rate;
    std::shared_ptr<const Optimizer> optimizer;
  };
  std::vector<Candidate> candidates = {};
};

/// `{plugin: sgd, learning_rate: 0.1}`, or `{tuned: adam}` with ten rates from 10⁻⁴ to 3. Null where it is unusable (an
/// error is then reported); `resolved` is the node with every default.
std::optional<Comparison> read_comparison(const SpecNode& node, const std::string& path, Registry& registry,
                                          SpecErrors& errors, SpecNode& resolved);

}  // namespace lopt
