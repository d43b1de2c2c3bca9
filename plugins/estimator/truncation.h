#pragma once
// What the truncated estimators share: problems that go on from one meta-step to the next, a segment at a time.

#include <lopt/plugin.h>

namespace lopt {

struct TruncationSettings {
  int tasks, unroll_length, problem_length;
  float loss_clip;

  TruncationSettings(Settings& s, int default_tasks, int default_problem_length, const std::string& tasks_doc)
      : tasks(s.integer("tasks", default_tasks).between(1, 1 << 20).doc(tasks_doc)),
        unroll_length(s.integer("unroll_length", 10)
                          .between(1, 1 << 20)
                          .unit("steps")
                          .doc("inner steps of a segment, which is one meta-step")),
        problem_length(s.integer("problem_length", default_problem_length)
                           .between(1, 1 << 30)
                           .unit("steps")
                           .doc("inner steps after which a problem starts again")),
        loss_clip(static_cast<float>(
            double{s.real("loss_clip", 3).above(0).doc("losses count at most this; NaN counts as this")})) {}

  UnrollOptions options() const { return {unroll_length, problem_length, loss_clip, false}; }

  /// One problem a task, at a random iteration, so that not all restart together.
  std::vector<Lane> start(const Values& theta, HostKey key, const Unroller& unroller) const {
    const Array iterations = randint(key, {tasks}, 0, problem_length);
    std::vector<LaneStart> starts;
    for (HostKey task_key : task_keys(key, tasks))
      starts.push_back({theta, task_key, static_cast<std::uint32_t>(starts.size())});
    std::vector<Lane> lanes = unroller.start(starts);
    for (std::size_t task = 0; task < lanes.size(); ++task)
      lanes[task].iteration = iterations.values<std::int32_t>()[task];
    return lanes;
  }
};

/// Gives each lane the key of its task; lanes of both signs of a task get the same.
inline void set_keys(std::vector<Lane>& lanes, const std::vector<HostKey>& keys) {
  for (std::size_t i = 0; i < lanes.size(); ++i) lanes[i].key = keys[i % keys.size()];
}

}  // namespace lopt
