#include "../antithetic.h"
#include "../slopes.h"
#include "../truncation.h"

#include <lopt/plugin.h>

using namespace lopt;

/// Forward gradients (Baydin et al., 2022; Silver et al., Learning by directional gradient descent, 2022): the slope of
/// the loss along a random direction v, E vvᵀ = I, by forward mode, times v:
///   gradient = mean over tasks of mean over directions of (dL/dθ · v) v.
/// Without σ and its smoothing, without memory that grows with the steps.
/// `through: problems` takes whole problems, started afresh, of `unroll_length` steps. `through: segments` keeps each
/// problem's tangent from segment to segment: a problem keeps its direction until it ends, so nothing is missed of what
/// earlier segments owe to θ.
class ForwardGradient final : public GradientEstimator {
 public:
  explicit ForwardGradient(Settings& s)
      : truncation_(s, 32, 30, "inner problems under way, each with directions of its own"),
        whole_(std::string{s.text("through", "segments")
                               .one_of({"segments", "problems"})
                               .doc("segments of longer problems, whose tangents are kept; or whole problems of "
                                    "unroll_length steps")} == "problems"),
        directions_(s.integer("directions", 1).between(1, 1 << 16).doc("directions of a problem")),
        signs_(std::string{s.text("direction", "normal")
                               .one_of({"normal", "signs"})
                               .doc("what a direction's elements are: normal numbers, or 1 and −1, whose noise is a "
                                    "little less")} == "signs"),
        clip_(s) {}

  EstimatorState init(const Values& theta, HostKey key, const Unroller& unroller) const override {
    if (whole_) return {{}, {{"position", Array::scalar<std::int32_t>(0)}}};
    EstimatorState state = truncation_.start(theta, key, unroller);
    std::vector<LaneDirections> first;
    for (HostKey own : task_keys(key, truncation_.tasks)) first.push_back({drawn(own, theta), {}});
    UnrollOptions none;
    none.steps = 0;  // the tangents of the first states
    Slopes slopes;
    state.lanes = unroller
                      .unroll_with_tangents(std::move(state.lanes), theta, none,
                                            {.directions = first, .from_start = true}, slopes)
                      .lanes;
    keep(state, first);
    return state;
  }

  Estimate estimate(const Values& theta, HostKey key, EstimatorState& state, const Unroller& unroller) const override {
    return whole_ ? of_problems(theta, key, state, unroller) : of_segments(theta, key, state, unroller);
  }

  std::int64_t problem_steps() const override {
    return whole_ ? truncation_.unroll_length : truncation_.problem_steps();
  }

 private:
  std::vector<Values> drawn(HostKey key, const Values& theta) const {
    constexpr std::uint32_t direction_key = 0x64697265;  // "dire"
    std::vector<Values> result;
    for (HostKey own : split(fold_in(key, direction_key), directions_))
      result.push_back(signs_ ? random_signs(own, theta) : normal_like(own, theta, 1));
    return result;
  }

  static void keep(EstimatorState& state, const std::vector<LaneDirections>& directions) {
    std::vector<Values> rows;
    for (const LaneDirections& own : directions) rows.insert(rows.end(), own.now.begin(), own.now.end());
    state.values.set("directions", stacked(rows));
  }

  /// Σ over directions of slope · direction, each part with the direction that it was taken along.
  Values gradient_of(const Values& theta, const LaneSlopes& slopes, const LaneDirections& own) const {
    Values result = zeros_like(theta);
    const float share = 1 / static_cast<float>(directions_);
    for (std::size_t d = 0; d < own.now.size(); ++d) {
      const LaneSlopes::Parts parts = slopes.mean(d);
      add_scaled(result, share * parts.before, own.now[d]);
      add_scaled(result, share * parts.after, own.begun.empty() ? own.now[d] : own.begun[d]);
    }
    return result;
  }

  Estimate of_segments(const Values& theta, HostKey key, EstimatorState& state, const Unroller& unroller) const {
    const std::vector<HostKey> keys = task_keys(key, truncation_.tasks);
    set_keys(state.lanes, keys);
    const auto count = static_cast<std::size_t>(directions_);
    std::vector<LaneDirections> directions;
    for (std::size_t task = 0; task < keys.size(); ++task) {
      directions.push_back({{}, drawn(keys[task], theta)});
      for (std::size_t d = 0; d < count; ++d)
        directions.back().now.push_back(row_of(state.values["directions"], task * count + d));
    }
    Slopes slopes;
    Unrolled unrolled = unroller.unroll_with_tangents(std::move(state.lanes), theta, truncation_.next_options(state),
                                                      {.directions = directions}, slopes);
    MeanGradient gradient(theta, keys.size(), clip_);
    for (std::size_t task = 0; task < keys.size(); ++task) {
      const LaneSlopes own{unrolled, slopes, task, static_cast<std::size_t>(truncation_.unroll_length), count};
      gradient.add({{1, gradient_of(theta, own, directions[task])}});
      if (own.restarted()) directions[task].now = directions[task].begun;
    }
    keep(state, directions);
    const float loss = mean_loss(unrolled);
    state.lanes = std::move(unrolled.lanes);
    return {loss, gradient.take()};
  }

  Estimate of_problems(const Values& theta, HostKey key, EstimatorState& state, const Unroller& unroller) const {
    const std::int32_t position = state.values["position"].leaf().item<std::int32_t>();
    const std::vector<HostKey> keys = task_keys(key, truncation_.tasks);
    std::vector<LaneStart> starts;
    std::vector<LaneDirections> directions;
    for (const HostKey own : keys) {
      starts.push_back({theta, own, static_cast<std::uint32_t>(starts.size()), position});
      directions.push_back({drawn(own, theta), {}});
    }
    UnrollOptions options;
    options.steps = truncation_.unroll_length;
    options.loss_clip = truncation_.loss_clip();
    Slopes slopes;
    const Unrolled unrolled = unroller.unroll_with_tangents(unroller.start(starts), theta, options,
                                                            {.directions = directions, .from_start = true}, slopes);
    MeanGradient gradient(theta, keys.size(), clip_);
    for (std::size_t task = 0; task < keys.size(); ++task) {
      const LaneSlopes own{unrolled, slopes, task, static_cast<std::size_t>(options.steps),
                           static_cast<std::size_t>(directions_)};
      gradient.add({{1, gradient_of(theta, own, directions[task])}});
    }
    state.values = {{"position", Array::scalar<std::int32_t>(position + options.steps)}};
    return {mean_loss(unrolled), gradient.take()};
  }

  TruncationSettings truncation_;
  bool whole_;
  int directions_;
  bool signs_;
  TaskClip clip_;
};

LOPT_PLUGIN(ForwardGradient, "forward_gradient",
            {.summary = "The slope along random directions, by forward mode through problems or segments of them",
             .paper = "Baydin et al., Gradients without backpropagation, 2022; Silver et al., Learning by directional "
                      "gradient descent, ICLR 2022",
             .url = "https://arxiv.org/abs/2202.08587"})
