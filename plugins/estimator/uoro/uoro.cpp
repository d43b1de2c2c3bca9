#include "../antithetic.h"
#include "../slopes.h"
#include "../truncation.h"
#include "../vectors.h"

#include <lopt/plugin.h>

#include <cmath>

using namespace lopt;

/// Unbiased online recurrent optimization (Tallec and Ollivier, 2017): of the Jacobian G = ds/dθ of a problem's state
/// only a product of two vectors is kept, whose mean is G: G ≈ s̃ θ̃ᵀ. With random signs ν, a segment s' = F(s, θ) gives
///   gradient = (∂L/∂s · s̃) θ̃ + ∂L/∂θ,
///   s̃ ← ρ₀ ∂F/∂s s̃ + ρ₁ ν,  θ̃ ← θ̃ / ρ₀ + νᵀ ∂F/∂θ / ρ₁,
///   ρ₀ = √(‖θ̃‖ / ‖∂F/∂s s̃‖),  ρ₁ = √(‖νᵀ ∂F/∂θ‖ / ‖ν‖).
/// Where ν meets s̃ it is in the units of the state, D ν, and where it meets θ̃ in their inverse, D⁻¹ ν: the mean is the
/// same, and a state of parts of very different sizes (parameters, second moments) does not drown in its smallest.
/// Every element of the state is moved, also one that θ never moves: a rule whose derivative is infinite there (√v at
/// v = 0) has no UORO, though it has a gradient.
/// The first product is forward mode, the others go back through the segment; `unroll_length: 1` is the paper's own,
/// longer ones are its memory-T form. Unbiased at any length; the noise grows with the state.
class Uoro final : public GradientEstimator {
 public:
  explicit Uoro(Settings& s) : truncation_(s, 32, 30, "inner problems under way"), clip_(s) {}

  EstimatorState init(const Values& theta, HostKey key, const Unroller& unroller) const override {
    EstimatorState state = truncation_.start(theta, key, unroller);
    UnrollOptions none;
    none.steps = 0;
    const std::vector<Values> thetas(state.lanes.size(), theta);
    const std::vector<HostKey> signs = sign_keys(task_keys(key, truncation_.tasks));
    LaneGradients first;  // of how the first states depend on θ
    state.lanes = unroller.unroll_with_lane_gradients(std::move(state.lanes), thetas, none, true, signs, first).lanes;
    std::vector<Values> of_theta;
    for (std::size_t task = 0; task < state.lanes.size(); ++task) {
      Factors factors{0, zeros_like(theta)};
      of_theta.push_back(next_factors(factors, 0, first, task));
      set_tangent(state.lanes[task], 0, factors.of_signs, signs[task]);
    }
    state.values.set("of_theta", stacked(of_theta));
    return state;
  }

  Estimate estimate(const Values& theta, HostKey key, EstimatorState& state, const Unroller& unroller) const override {
    const std::vector<HostKey> keys = task_keys(key, truncation_.tasks), signs = sign_keys(keys);
    const std::size_t tasks = keys.size(), steps = static_cast<std::size_t>(truncation_.unroll_length);
    set_keys(state.lanes, keys);
    const UnrollOptions options = truncation_.next_options(state);
    const std::vector<Values> thetas(tasks, theta);
    LaneGradients backward;
    static_cast<void>(unroller.unroll_with_lane_gradients(state.lanes, thetas, options, false, signs, backward));
    const std::vector<LaneDirections> of_state(tasks);
    Slopes slopes;
    Unrolled unrolled =
        unroller.unroll_with_tangents(std::move(state.lanes), theta, options, {.directions = of_state}, slopes);
    MeanGradient gradient(theta, tasks, clip_);
    std::vector<Values> of_theta;
    for (std::size_t task = 0; task < tasks; ++task) {
      Factors factors{1, row_of(state.values["of_theta"], task)};
      // A problem that began within the segment has a tangent of 0, so it owes nothing to the old factor.
      const LaneSlopes::Parts along = LaneSlopes{unrolled, slopes, task, steps, 1}.mean(0);
      gradient.add({{along.before, factors.of_theta}, {1, backward.of_losses[task]}});
      const float norm = slopes.norms[task];
      of_theta.push_back(next_factors(factors, norm, backward, task));
      set_tangent(unrolled.lanes[task], factors.of_state, factors.of_signs, signs[task]);
    }
    const float loss = mean_loss(unrolled);
    state.lanes = std::move(unrolled.lanes);
    state.values.set("of_theta", stacked(of_theta));
    return {loss, gradient.take()};
  }

  std::int64_t problem_steps() const override { return truncation_.problem_steps(); }

 private:
  static std::vector<HostKey> sign_keys(const std::vector<HostKey>& keys) {
    constexpr std::uint32_t sign_key = 0x75;  // "u"
    std::vector<HostKey> result;
    for (HostKey key : keys) result.push_back(fold_in(key, sign_key));
    return result;
  }

  /// What a segment makes of s̃ and θ̃: of_state is ρ₀, of_signs ρ₁.
  struct Factors {
    float of_state;
    Values of_theta;
    float of_signs = 0;
  };
  /// θ̃ after a segment, where ∂F/∂s s̃ has this norm; sets ρ₀ and ρ₁.
  static Values next_factors(Factors& factors, float tangent_norm, const LaneGradients& backward, std::size_t task) {
    Values next = factors.of_theta;
    const auto norm = static_cast<float>(std::sqrt(dot(next, next)));
    const Values& of_signs = backward.of_states[task];
    const auto signs_norm = static_cast<float>(std::sqrt(dot(of_signs, of_signs)));
    factors.of_state = norm > 0 && tangent_norm > 0 ? std::sqrt(norm / tangent_norm) : 0;
    factors.of_signs = signs_norm > 0 ? std::sqrt(signs_norm / backward.sign_norms[task]) : 0;
    next = scaled(next, factors.of_state > 0 ? 1 / factors.of_state : 0);
    if (factors.of_signs > 0) add_scaled(next, 1 / factors.of_signs, of_signs);
    return next;
  }
  /// s̃ ← ρ₀ s̃ + ρ₁ ν, where this process keeps the state.
  static void set_tangent(Lane& lane, float of_state, float of_signs, HostKey key) {
    if (lane.state.leaf_count() == 0) return;
    Values tangent = lane.tangents.empty() ? zeros_like(lane.state) : scaled(lane.tangents[0], of_state);
    if (of_signs > 0) add_scaled(tangent, of_signs, scaled_signs(key, lane.state).tangent);
    lane.tangents = {std::move(tangent)};
  }

  TruncationSettings truncation_;
  TaskClip clip_;
};

LOPT_PLUGIN(Uoro, "uoro",
            {.summary = "Unbiased online: the state's Jacobian as a random product of two vectors",
             .paper = "Tallec and Ollivier, Unbiased online recurrent optimization, ICLR 2018",
             .url = "https://arxiv.org/abs/1702.05043"})
