#pragma once
// What evolution strategies on whole problems share: each problem is started afresh, and runs once for each sign.

#include "antithetic.h"
#include "loss_clip.h"

#include <lopt/plugin.h>

namespace lopt {

class WholeProblems {
 public:
  explicit WholeProblems(Settings& s)
      : tasks(s.integer("tasks", 32)
                  .between(1, 1 << 20)
                  .doc("directions, each with a problem of its own that runs twice")),
        unroll_length(s.integer("unroll_length", 10).between(1, 1 << 20).unit("steps").doc("inner steps of a problem")),
        loss_clip_(loss_clip_of(s)) {}

  /// A pair for each key, on the batches from `position` on.
  Unrolled unroll(const AntitheticPairs& pairs, const std::vector<HostKey>& keys, std::int64_t position,
                  const Unroller& unroller) const {
    std::vector<LaneStart> starts;
    for (std::size_t i = 0; i < pairs.thetas.size(); ++i) {
      const std::size_t task = i % keys.size();
      starts.push_back({pairs.thetas[i], keys[task], static_cast<std::uint32_t>(task), position});
    }
    UnrollOptions options;
    options.steps = unroll_length;
    options.loss_clip = loss_clip_;
    return unroller.unroll(unroller.start(starts), pairs.thetas, options);
  }

  int tasks, unroll_length;

 private:
  float loss_clip_;
};

}  // namespace lopt
