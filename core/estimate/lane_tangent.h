#pragma once
// Forward mode through the unroll of one lane.

#include "estimate/lane_stepper.h"

namespace lopt {

/// As many as each lane has.
std::size_t direction_count(const Values& theta, const TangentOptions& tangents);

/// Steps a lane and its tangents together, a few directions at a time: each program runs the step itself too, so what
/// directions share is paid once for several of them.
class LaneTangent {
 public:
  /// `directions` may be null where tangents follow every weight.
  LaneTangent(const LaneStepper& stepper, const Values& theta, const UnrollOptions& options,
              const TangentOptions& tangents, const LaneDirections* directions, LaneWorker& worker);

  /// Unrolls the lane. `losses` and `began` [steps], `slopes` [steps, directions], `norms` [directions].
  void run(Lane& lane, float* losses, std::uint8_t* began, float* slopes, float* norms);

 private:
  /// Directions first … first + size − 1, which one program takes.
  struct Group {
    std::size_t first;
    int size;
  };
  void begin(const Lane& lane);
  void restart(Lane& lane);
  void start_tangents(const Lane& lane);
  float step(const Lane& lane, HostKey step_key, const std::vector<Array>& state, std::vector<Array>& next,
             float* slopes);
  void append_directions(const Group& group);
  /// Makes a unit the direction of a weight.
  void turn_to(std::size_t unit, std::size_t weight);
  std::vector<Array> zero_tangent(const Lane& lane) const;

  const LaneStepper& stepper_;
  const UnrollOptions& options_;
  const TangentOptions& tangents_;
  LaneWorker& worker_;
  std::vector<Array> theta_leaves_;
  std::vector<const void*> theta_;
  std::size_t count_;
  bool along_theta_;
  bool begun_ = false;  // a problem began within the unroll
  std::vector<Group> groups_;
  std::vector<std::vector<Array>> ways_, begun_ways_;  // leaves of the directions, now and for problems that begin
  /// A direction of one weight, which is moved from weight to weight.
  struct Unit {
    std::vector<Array> way;
    std::size_t weight = 0;
  };
  std::vector<Unit> units_;                                  // with every weight: of a group
  std::vector<std::pair<std::size_t, std::size_t>> places_;  // with every weight: leaf and element of each
  std::vector<std::vector<Array>> now_, next_;               // tangents of the state: float32 leaves
};

}  // namespace lopt
