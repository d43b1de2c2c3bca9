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
  std::vector<Array> state_, next_;
  ObjectiveLosses counted_;
  bool diverged_ = false;
};

/// Takes lanes through `steps` steps: those whose programs have one plan run together.
void run_lanes(std::span<LaneRun> lanes, int steps);

}  // namespace lopt
