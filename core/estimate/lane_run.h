#pragma once
// Lanes on their way through an unroll: one, or several that a thread takes through their steps together.

#include "estimate/lane_stepper.h"

#include <span>

namespace lopt {

/// A lane on its way; θ outlives it. `losses` and `began` [steps]: what Unrolled has of the lane.
class LaneRun {
 public:
  LaneRun(const LaneStepper& stepper, Lane& lane, const Values& theta, const UnrollOptions& options, float* losses,
          std::uint8_t* began, LaneWorker& worker);

  /// Whether lanes of the same task lie best one after the other: where each step is one of all of them.
  bool may_lie_beside() const {
    return stepper_.task_count() == 1 && !stepper_.observer() && program().all_side_by_side();
  }
  /// Bytes of what lanes like this one read and write in each step, all lying one after the other.
  std::size_t bytes_beside(std::size_t lanes) const;
  /// θ and the state lie there until finish(), as those of lane `lane` of `lanes`. All of them must go on together.
  void lie_beside(std::byte* memory, std::size_t lane, std::size_t lanes);

  /// Before step k: begins a new problem where the old one has ended, and says where the step's inputs and outputs lie.
  void begin_step(int k);
  /// The step's program, and what it runs with.
  const Executable& program() const { return problem().step(); }
  ProgramRun& run() { return worker_; }
  /// Runs it for this lane alone.
  void step();
  /// After step k: counts its loss, and goes on from the state that it gave.
  void end_step(int k);
  /// After the last step.
  void finish();

 private:
  const InnerProblem& problem() const { return stepper_.problem(lane_.task); }
  void copy_state_beside();
  /// Leaves that a step puts where the ones before lie: none while somebody looks on, who sees both.
  bool in_place(std::size_t leaf) const { return !stepper_.observer() && problem().steps_in_place()[leaf]; }
  /// Room for the other leaves.
  std::vector<Array> room() const;

  const LaneStepper& stepper_;
  Lane& lane_;
  UnrollOptions options_;
  std::uint8_t* began_;
  LaneWorker& worker_;
  std::vector<const void*> theta_;
  std::vector<std::size_t> theta_sizes_;
  std::vector<std::byte*> beside_, next_beside_;  // the state's leaves, where they lie beside other lanes'
  std::vector<Array> state_, next_;
  ObjectiveLosses counted_;
  bool diverged_ = false;
};

/// Takes lanes through `steps` steps: those whose programs have one plan run together.
void run_lanes(std::span<LaneRun> lanes, int steps);

}  // namespace lopt
