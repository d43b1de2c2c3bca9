#pragma once
// What the truncated estimators share: problems that go on from one meta-step to the next, a segment at a time, and for
// how long they do.

#include <lopt/plugin.h>

#include <algorithm>
#include <cmath>

namespace lopt {

class TruncationSettings {
 public:
  TruncationSettings(Settings& s, int default_tasks, int default_problem_length, const std::string& tasks_doc,
                     const std::string& default_starts = "random")
      : tasks(s.integer("tasks", default_tasks).between(1, 1 << 20).doc(tasks_doc)),
        unroll_length(s.integer("unroll_length", 10)
                          .between(1, 1 << 20)
                          .unit("steps")
                          .doc("inner steps of a segment, which is one meta-step")),
        problem_length_(s.integer("problem_length", default_problem_length)
                            .between(1, 1 << 30)
                            .unit("steps")
                            .doc("inner steps after which a problem starts again, at most")),
        loss_clip_(static_cast<float>(
            double{s.real("loss_clip", 3).above(0).doc("losses count at most this; NaN counts as this")})),
        truncation_(s.text("truncation", "constant")
                        .one_of({"constant", "log_uniform", "curriculum", "never"})
                        .doc("a problem's length: problem_length; drawn log-uniformly from least_length to it; growing "
                             "from one to the other over curriculum_steps; without an end")),
        least_length_(std::min<int>(problem_length_,
                                    s.integer("least_length", std::min(10, problem_length_))
                                        .between(1, 1 << 30)
                                        .unit("steps")
                                        .doc("the least length of log_uniform, the first of curriculum; more than "
                                             "problem_length counts as that"))),
        curriculum_steps_(s.integer("curriculum_steps", 1000)
                              .between(1, 1 << 30)
                              .unit("meta-steps")
                              .doc("until a curriculum has come to problem_length")),
        starts_(s.text("starts", default_starts)
                    .one_of({"random", "staggered", "together"})
                    .doc("the first problems stand at random iterations, as in the JAX tutorial; or end one after the "
                         "other, so that the meta-loss does not swing; or all begin at once")) {}

  /// One problem a task, and what the estimator has to remember of them.
  EstimatorState start(const Values& theta, HostKey key, const Unroller& unroller) const {
    std::vector<LaneStart> starts;
    for (HostKey task_key : task_keys(key, tasks))
      starts.push_back({theta, task_key, static_cast<std::uint32_t>(starts.size())});
    EstimatorState state{unroller.start(starts), Values(std::vector<Values::Entry>{})};
    if (truncation_ == "curriculum") state.values.set(meta_steps, Array::scalar(std::int32_t{0}));
    if (truncation_ != "never") begin_lengths(key, options(state), state.lanes);
    return state;
  }

  /// The same twice: the lanes of one sign, then those of the other, from one state.
  EstimatorState start_pairs(const Values& theta, HostKey key, const Unroller& unroller) const {
    EstimatorState state = start(theta, key, unroller);
    const std::vector<Lane> negative = state.lanes;
    state.lanes.insert(state.lanes.end(), negative.begin(), negative.end());
    return state;
  }

  /// How the next segment is unrolled; to be asked once a meta-step.
  UnrollOptions next_options(EstimatorState& state) const {
    const UnrollOptions result = options(state);
    if (truncation_ == "curriculum")
      state.values.set(meta_steps, Array::scalar(state.values[meta_steps].leaf().item<std::int32_t>() + 1));
    return result;
  }

  /// Inner steps of the longest problem; 0: they have no end.
  std::int64_t problem_steps() const { return truncation_ == "never" ? 0 : problem_length_; }

  /// What losses count at most.
  float loss_clip() const { return loss_clip_; }

  int tasks, unroll_length;

 private:
  static constexpr const char* meta_steps = "meta_steps";

  UnrollOptions options(const EstimatorState& state) const {
    UnrollOptions result{unroll_length, problem_length_, loss_clip_, false};
    if (truncation_ == "never") result.problem_length.reset();
    if (truncation_ == "log_uniform") result.least_length = least_length_;
    if (truncation_ == "curriculum") {
      const double done = static_cast<double>(state.values[meta_steps].leaf().item<std::int32_t>()) / curriculum_steps_;
      result.problem_length = std::llround(
          least_length_ * std::pow(static_cast<double>(problem_length_) / least_length_, std::min(done, 1.0)));
    }
    return result;
  }

  void begin_lengths(HostKey key, const UnrollOptions& options, std::vector<Lane>& lanes) const {
    const Array iterations = randint(key, {tasks}, 0, static_cast<std::int32_t>(*options.problem_length));
    for (std::size_t task = 0; task < lanes.size(); ++task) {
      Lane& lane = lanes[task];
      lane.length = drawn_length(options, lane.key);
      if (starts_ == "together") continue;
      if (starts_ == "staggered")
        lane.length = std::max<std::int64_t>(1, lane.length * static_cast<std::int64_t>(task + 1) / tasks);
      else
        lane.iteration = iterations.values<std::int32_t>()[task] * lane.length / *options.problem_length;
    }
  }

  int problem_length_;
  float loss_clip_;
  std::string truncation_;
  int least_length_, curriculum_steps_;
  std::string starts_;
};

/// Gives each lane the key of its task; lanes of both signs of a task get the same.
inline void set_keys(std::vector<Lane>& lanes, const std::vector<HostKey>& keys) {
  for (std::size_t i = 0; i < lanes.size(); ++i) lanes[i].key = keys[i % keys.size()];
}

}  // namespace lopt
