#pragma once
// What a sweep tries: assignments of a spec, some of which are lists or distributions.

#include "spec/node.h"

#include <lopt/random.h>

#include <optional>
#include <string>
#include <vector>

namespace lopt {

class SweepSpace {
 public:
  /// `key=[a, b]` is a list, `key=log_uniform(a, b)`, `uniform(a, b)` or `integers(a, b)` a distribution; anything else
  /// is an assignment that all trials share. Throws SpecError for what cannot be read, or where nothing varies.
  explicit SweepSpace(const std::vector<std::string>& assignments);

  bool has_distributions() const { return has_distributions_; }
  /// How many combinations the lists have.
  std::size_t grid_size() const;
  /// Assignments of each trial: all combinations of the lists, or `count` that are drawn from the key; no two are alike
  /// while there are enough. Only lists have combinations.
  std::vector<std::vector<std::string>> trials(std::optional<std::size_t> count, HostKey key) const;

 private:
  struct Axis {
    std::string key;
    SpecNode values;  // a sequence, or a distribution as a mapping
  };
  std::vector<std::string> shared_;
  std::vector<Axis> axes_;
  bool has_distributions_ = false;
};

}  // namespace lopt
