#pragma once
// Gradient estimators: which inner problems run with which meta-parameters for how many steps, and what their losses
// say about θ. This is code that runs now, on arrays; the engine runs what it asks for in parallel.

#include <lopt/random.h>
#include <lopt/tree.h>

#include <limits>
#include <optional>

namespace lopt {

/// An inner problem under way.
struct Lane {
  std::uint32_t stream = 0;    // whose batches it sees
  std::int64_t position = 0;   // how many batches of that stream went by
  std::int64_t iteration = 0;  // steps since the problem began
  HostKey key;                 // the randomness ahead of it
  std::uint32_t task = 0;      // member of the task family
  Values state;                // of the optimizer; empty where another process keeps it
  std::uint32_t owner = 0;     // the process that runs it, where several share the lanes (MPI's rank)
  std::int64_t length = 0;     // steps that the problem has; 0: not known, or as UnrollOptions has it for all
  // What the meta-objective remembers of the problem; known to the owner.
  float first_loss = std::numeric_limits<float>::quiet_NaN();  // NaN: none yet
  float least_loss = std::numeric_limits<float>::infinity();
  /// Of the state, one for each direction that is followed: structured as the state, where integers are 0. Empty: no
  /// direction is, or another process keeps them.
  std::vector<Values> tangents = {};
};

/// Where a lane begins.
struct LaneStart {
  const Values& theta;
  HostKey key;
  std::uint32_t stream = 0;
  std::int64_t position = 0;
};

/// How lanes are unrolled.
struct UnrollOptions {
  int steps = 1;  // inner steps
  /// A lane restarts at this iteration, unless its problem has a length of its own; none: never.
  std::optional<std::int64_t> problem_length = std::nullopt;
  float loss_clip = std::numeric_limits<float>::infinity();  // losses count at most this; NaN counts as this
  /// With gradients: keeps every √steps-th state and computes the others again: memory √steps × state, at the cost of
  /// one more run of each step. The gradient is the same bits.
  bool recompute_states = false;
  /// Above 0: each new problem's length is drawn log-uniformly from here to problem_length.
  std::int64_t least_length = 0;
  /// With gradients, above 0: the norm that the gradient of one lane's mean loss may have; a longer one is scaled down,
  /// one that is not finite counts as 0.
  float most_lane_norm = 0;
};
/// A length for a problem that begins with this key; problem_length, or 0 where there is none.
std::int64_t drawn_length(const UnrollOptions& options, HostKey key);

/// What an unroll gives. Row-major [lane, step]. The losses are what the spec's `meta_objective` makes of those of the
/// inner problems: their mean over steps is what is minimised.
struct Unrolled {
  std::vector<Lane> lanes;          // as they are after the last step
  std::vector<float> losses;        // of the parameters before each update, clipped; by default
  std::vector<std::uint8_t> began;  // 1 where a new problem began at this step
};

/// Directions in θ that a lane's tangents follow.
struct LaneDirections {
  std::vector<Values> now;    // of the problem under way; empty: θ stays, and the state's tangent alone moves
  std::vector<Values> begun;  // of problems that begin within the unroll, as many; empty: the same
};

/// How an unroll is differentiated forward.
struct TangentOptions {
  /// [lane]; unused with `every_weight`.
  std::span<const LaneDirections> directions = {};
  /// A direction for each weight, in the order of θ's leaves.
  bool every_weight = false;
  /// The lanes have just been started, so their states move with θ too. Else a lane without tangents begins with 0.
  bool from_start = false;
};

/// What comes out of it, beside the lanes, whose tangents are those after the last step.
struct Slopes {
  std::vector<float> losses;  // [lane, step, direction]: d loss / d direction
  std::vector<float> norms;   // [lane, direction]: of the tangents
};

/// What each lane's own unroll gives backward.
struct LaneGradients {
  std::vector<Values> of_losses;  // [lane]: d(mean of its losses)/dθ
  /// [lane]: cotangentᵀ d(state after the last step)/dθ of scaled_signs(); empty where no signs are asked for.
  std::vector<Values> of_states;
  std::vector<float> sign_norms;  // [lane]: of their tangent
};

/// Runs inner problems. Implemented by the core; the results do not depend on the number of threads.
class Unroller {
 public:
  virtual ~Unroller() = default;

  /// Problems at their start: parameters from `init(key)`, the optimizer's state made by θ. Throws lopt::ShapeError
  /// where their states together need more memory than there is.
  virtual std::vector<Lane> start(std::span<const LaneStart> starts) const = 0;
  /// Unrolls lane i with meta-parameters thetas[i].
  virtual Unrolled unroll(std::vector<Lane> lanes, std::span<const Values> thetas,
                          const UnrollOptions& options) const = 0;
  /// Unrolls all lanes with θ, and adds to `gradient` d(mean of all losses)/dθ, exactly, back to each lane's start
  /// or restart within the unroll. `from_start`: the lanes have just been started, so their states depend on θ too.
  virtual Unrolled unroll_with_gradient(std::vector<Lane> lanes, const Values& theta, const UnrollOptions& options,
                                        bool from_start, Values& gradient) const = 0;
  /// Unrolls all lanes with θ, and their tangents with them: forward mode, whose cost grows with the directions and
  /// whose memory does not grow with the steps. Throws ShapeError where the tangents need more memory than there is,
  /// std::logic_error where the unroller has no forward mode.
  virtual Unrolled unroll_with_tangents(std::vector<Lane> lanes, const Values& theta, const UnrollOptions& options,
                                        const TangentOptions& tangents, Slopes& slopes) const;
  /// Unrolls lane i with thetas[i], and goes back through each to its start or restart within the unroll. With `signs`,
  /// a key for each lane, also from scaled_signs(key, state) after the last step. Throws std::logic_error where the
  /// unroller has none.
  virtual Unrolled unroll_with_lane_gradients(std::vector<Lane> lanes, std::span<const Values> thetas,
                                              const UnrollOptions& options, bool from_start,
                                              std::span<const HostKey> signs, LaneGradients& gradients) const;
};

/// A meta-gradient and what comes with it.
struct Estimate {
  float loss = 0;   // mean loss, the meta-loss
  Values gradient;  // structured as θ
};

/// What an estimator carries from one meta-step to the next.
struct EstimatorState {
  std::vector<Lane> lanes;
  Values values;  // whatever else, by name
};

/// A way to estimate d meta-loss / dθ. Keeps no state itself.
class GradientEstimator {
 public:
  static constexpr const char* kind = "estimator";
  virtual ~GradientEstimator() = default;

  virtual EstimatorState init(const Values& theta, HostKey key, const Unroller& unroller) const = 0;
  /// Brings the state one meta-step on.
  virtual Estimate estimate(const Values& theta, HostKey key, EstimatorState& state,
                            const Unroller& unroller) const = 0;
  /// What the mean of its estimates leaves out, as in "dependence on θ through earlier segments"; empty: they are
  /// unbiased, but for the smoothing of perturbations.
  virtual std::string bias() const { return ""; }
  /// Inner steps of a problem, where the estimator knows: what optimizers are told as num_steps.
  virtual std::int64_t problem_steps() const { return 0; }
};

/// The keys of `count` tasks: one task uses the key as it is, more are split from it.
std::vector<HostKey> task_keys(HostKey key, int count);
/// 1 or −1 with equal chance for each float32 element of a tree, and 0 for others: leaf i from fold_in(key, i).
Values random_signs(HostKey key, const Values& tree);
/// ν of such signs in the units of a state, and in their inverse: E tangent cotangentᵀ is 1, whatever the units are. An
/// element's unit is its own size and a tenth of the root mean square of its leaf, or 1 in a leaf of zeros.
struct ScaledSigns {
  Values tangent, cotangent;
};
ScaledSigns scaled_signs(HostKey key, const Values& state);
/// target += scale · source, float32 leaf by leaf; others stay.
void add_scaled(Values& target, float scale, const Values& source);
Values zeros_like(const Values& tree);
/// Σ of products of float32 elements, in float64.
double dot(const Values& a, const Values& b);

}  // namespace lopt
