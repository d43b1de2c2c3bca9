#pragma once
// Values of a spec that are drawn: {choice: […]}, {uniform: [a, b]}, {log_uniform: [a, b]}, {integers: [a, b]}.

#include "spec/node.h"

#include <lopt/random.h>

namespace lopt {

/// Draws values of a spec; the same key draws the same.
class SpecDraw {
 public:
  explicit SpecDraw(HostKey key) : key_(key) {}
  /// The node with each distribution in it, at any depth, replaced by a value of it that stands where the distribution
  /// does. Adds to `errors` where one is not written as it should be.
  SpecNode of(const SpecNode& node, const std::string& path, SpecErrors& errors);

 private:
  /// Uniform in [0, 1).
  double next();
  SpecNode choice(const SpecNode& node, const std::string& path, SpecErrors& errors);
  SpecNode number(const SpecNode& range, const std::string& name, const std::string& path, SpecErrors& errors);

  HostKey key_;
  std::uint32_t draws_ = 0;
};

}  // namespace lopt
