#pragma once
// Parts of θ that stay as they are while the rest is trained: a rule trained in phases.

#include "learn/experiment.h"

#include <functional>

namespace lopt {

/// θ as two parts: leaves that are trained, and leaves that a pattern of `freeze` names.
class FrozenTheta {
 public:
  FrozenTheta() = default;
  /// Throws SpecError where a pattern names no leaf, or where nothing is left to be trained.
  FrozenTheta(Values whole, const std::vector<FreezePattern>& patterns);

  /// The leaves that are trained, by their paths; all of θ, as it is, where nothing is frozen.
  Values trained() const;
  /// θ with its trained leaves replaced.
  Values whole(const Values& trained) const;
  Tree whole(const Tree& trained) const;
  /// As it was given.
  const Values& at_start() const { return whole_; }
  bool is_whole() const { return trained_.size() == whole_.leaf_count(); }

 private:
  Values whole_;
  std::vector<std::size_t> trained_;  // which leaves
};

}  // namespace lopt
