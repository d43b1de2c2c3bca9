#pragma once
// Backpropagation through the unroll of one lane.

#include "estimate/lane_stepper.h"

namespace lopt {

/// Forward, keeping the state before each step (or every √n-th: see UnrollOptions), then backward: each step is run
/// again inside the program of its vector-Jacobian product. Memory: kept states, not activations.
class LaneGradient {
 public:
  LaneGradient(const LaneStepper& stepper, const Values& theta, const UnrollOptions& options, LaneWorker& worker);

  /// cotangentᵀ d(state after the last step)/dθ of scaled_signs(key, state).
  struct OfState {
    HostKey key;
    std::vector<Array>& gradient;  // leaves of θ, in order; added to
    float norm = 0;                // of their tangent
  };
  /// Unrolls the lane, and adds d(Σ weight · counted loss)/dθ to `gradient` (leaves of θ, in order).
  void run(Lane& lane, bool from_start, float weight, float* losses, std::uint8_t* began, std::vector<Array>& gradient,
           OfState* of_state = nullptr);

 private:
  /// A step to be gone back through.
  struct Step {
    Lane lane;  // as it stands when the step begins; its state only where it is kept
    HostKey step_key, start_key;
    bool begins = false;  // a problem begins with it
    float slope = 0;      // d Σ / d loss
  };
  void forward(Lane& lane, bool from_start, float weight, float* losses, std::uint8_t* began);
  void restore_states(std::size_t begin, std::size_t end);
  /// From the cotangent of the last state that is there, and with those of the losses or without.
  enum class From { losses, state };
  void go_back(From from, std::vector<Array>& gradient);
  void backward(std::size_t step, float slope, std::vector<Array>& gradient);
  void start_gradient(const Step& step, std::vector<Array>& gradient);

  const LaneStepper& stepper_;
  const UnrollOptions& options_;
  LaneWorker& worker_;
  std::vector<Array> theta_leaves_;
  std::vector<const void*> theta_;
  std::size_t kept_every_;
  std::vector<Step> steps_;
  std::vector<Array> d_state_, d_theta_;  // cotangents; d_state_ is empty while nothing flows
};

}  // namespace lopt
