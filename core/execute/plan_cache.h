#pragma once
// Programs that differ in nothing but the numbers in them are planned once.

#include "execute/executor.h"

#include <mutex>
#include <unordered_map>

namespace lopt {

/// Plans that were made, and the programs that they are of. May be shared by threads.
class PlanCache {
 public:
  /// As lopt::compile() for outputs that are arrays, or of one element; a plan that is there already is taken, with the
  /// constants of this program.
  Executable compile(const Program& program);
  std::size_t plans() const { return known_.size(); }

 private:
  struct Known {
    Program program;
    Executable executable;
  };
  std::mutex mutex_;
  std::unordered_multimap<std::size_t, Known> known_;
};

}  // namespace lopt
