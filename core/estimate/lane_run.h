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
  const Executable& program() const { return stepper_.problem(lane_.task).step(); }
  ProgramRun& run() { return worker_; }
  /// Runs it for this lane alone.
  void step();
  /// After step k: counts its loss, and goes on from the state that it gave.
  void end_step(int k);
  /// After the last step.
  void finish();

 private:
  const Types& types() const { return stepper_.problem(lane_.task).state_types(); }

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
