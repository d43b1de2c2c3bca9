#include "conformance/made_up.h"

#include <lopt/plugin.h>

#include <cmath>

namespace lopt {
namespace {

constexpr std::size_t size = 3;
constexpr float start_theta[size] = {0.3F, -0.2F, 0.5F}, target[size] = {-0.1F, 0.4F, 0.2F};

class TwoWeightsRule final : public Optimizer {
 public:
  explicit TwoWeightsRule(Tree theta) : theta_(std::move(theta)) {}
  Tree init(const Tree& params, const InitContext&) const override { return {{"params", params}}; }
  Tree update(const Tree& state, const Tree& grads, const UpdateContext&) const override {
    return {{"params", state["params"] - exp(theta_["rate"]) * grads + theta_["drift"].leaf()}};
  }
  Tree params(const Tree& state) const override { return state["params"]; }

 private:
  Tree theta_;
};

}  // namespace

Types made_up_params() {
  return {{"matrix", Type{DType::float32, {3, 4}}},
          {"layer", Types{{"bias", Type{DType::float32, {4}}}, {"gain", Type{DType::float32, {}}}}}};
}

Values made_up_values(std::uint64_t seed) {
  return normal_like(HostKey::from_seed(seed), map([](const Type& type) { return Array(type); }, made_up_params()), 1);
}

Tree Bowl::init(Key key) const {
  std::uint32_t leaf = 0;
  return map([&](const Type& type) { return normal(fold_in(key, leaf++), type.shape); }, made_up_params());
}
Tensor Bowl::loss(const Tree& params, const Tree&, Key) const {
  Tensor total = 0;
  for (const Tensor& leaf : params.leaves()) total = total + 0.5 * sum(square(leaf - 1));
  return total;
}

Tree TwoWeights::init(Key) const { return {{"rate", full({}, -2)}, {"drift", full({}, 0.01)}}; }
std::unique_ptr<Optimizer> TwoWeights::opt_fn(const Tree& theta) const {
  return std::make_unique<TwoWeightsRule>(theta);
}

Values QuadraticProblems::theta() {
  return {{"x", Array({2}, std::span(start_theta).first(2))}, {"y", Array({1}, std::span(start_theta).last(1))}};
}
std::vector<double> QuadraticProblems::gradient() {
  std::vector<double> result;
  for (std::size_t i = 0; i < size; ++i)
    result.push_back(static_cast<double>(start_theta[i]) - static_cast<double>(target[i]));
  return result;
}

std::vector<Lane> QuadraticProblems::start(std::span<const LaneStart> starts) const {
  std::vector<Lane> lanes;
  for (const LaneStart& start : starts) {
    Lane lane;
    lane.stream = start.stream;
    lane.position = start.position;
    lane.key = start.key;
    lane.state = {{"mean", Array(DType::float32, {size})}, {"seen", Array(DType::float32, {})}};
    lanes.push_back(std::move(lane));
  }
  return lanes;
}

namespace {

std::vector<float> flat(const Values& theta) {
  std::vector<float> result;
  for (const Array& leaf : theta.leaves())
    result.insert(result.end(), leaf.values<float>().begin(), leaf.values<float>().end());
  return result;
}

/// Numbers in the shape of θ.
Values shaped(const std::vector<double>& numbers, const Values& theta) {
  std::size_t k = 0;
  return map(
      [&](Array leaf) {
        for (float& x : leaf.mutable_values<float>()) x = static_cast<float>(numbers[k++]);
        return leaf;
      },
      theta);
}

/// A lane's state unpacked.
struct Mean {
  std::vector<float> mean;
  float seen;
  float depends = 0;  // d mean / dθ for the θ of this unroll

  explicit Mean(const Lane& lane)
      : mean(flat({{"mean", lane.state["mean"]}})), seen(lane.state["seen"].leaf().item<float>()) {}
  void restart() { mean.assign(size, 0), seen = 0, depends = 0; }
  void see(const std::vector<float>& theta) {
    for (std::size_t i = 0; i < size; ++i) mean[i] += (theta[i] - mean[i]) / (seen + 1);
    depends += (1 - depends) / (seen + 1);
    seen += 1;
  }
  float loss() const {
    float sum = 0;
    for (std::size_t i = 0; i < size; ++i) sum += (mean[i] - target[i]) * (mean[i] - target[i]) / 2;
    return sum;
  }
  Values state() const { return {{"mean", Array({size}, mean)}, {"seen", Array::scalar(seen)}}; }
};

}  // namespace

Unrolled QuadraticProblems::unroll(std::vector<Lane> lanes, std::span<const Values> thetas,
                                   const UnrollOptions& options) const {
  Unrolled result{std::move(lanes), {}, {}};
  for (std::size_t i = 0; i < result.lanes.size(); ++i) {
    Lane& lane = result.lanes[i];
    Mean mean(lane);
    for (int step = 0; step < options.steps; ++step, ++lane.position) {
      const bool restart =
          options.problem_length && lane.iteration >= (lane.length > 0 ? lane.length : *options.problem_length);
      lane.iteration = restart ? 0 : lane.iteration + 1;
      if (restart) lane.length = drawn_length(options, lane.key);
      if (restart) mean.restart();
      result.began.push_back(restart);
      mean.see(flat(thetas[i]));
      const float loss = mean.loss() * scale_;
      result.losses.push_back(loss < options.loss_clip ? loss : options.loss_clip);
    }
    lane.state = mean.state();
  }
  return result;
}

Unrolled QuadraticProblems::unroll_with_lane_gradients(std::vector<Lane> lanes, std::span<const Values> thetas,
                                                       const UnrollOptions& options, bool,
                                                       std::span<const HostKey> signs, LaneGradients& gradients) const {
  const std::vector<Lane> before = lanes;
  Unrolled result = unroll(std::move(lanes), thetas, options);
  gradients = {};
  for (std::size_t i = 0; i < before.size(); ++i) {
    Mean mean(before[i]);
    std::vector<double> of_losses(size, 0), of_state(size, 0);
    for (int step = 0; step < options.steps; ++step) {
      if (result.began[i * static_cast<std::size_t>(options.steps) + static_cast<std::size_t>(step)]) mean.restart();
      mean.see(flat(thetas[i]));
      for (std::size_t k = 0; k < size; ++k)
        of_losses[k] += static_cast<double>(scale_ * mean.depends * (mean.mean[k] - target[k])) / options.steps;
    }
    gradients.of_losses.push_back(shaped(of_losses, thetas[i]));
    if (signs.empty()) continue;
    const ScaledSigns nu = scaled_signs(signs[i], result.lanes[i].state);
    const std::vector<float> of_mean = flat({{"mean", nu.cotangent["mean"]}});
    for (std::size_t k = 0; k < size; ++k) of_state[k] = static_cast<double>(mean.depends * of_mean[k]);
    gradients.of_states.push_back(shaped(of_state, thetas[i]));
    gradients.sign_norms.push_back(static_cast<float>(std::sqrt(dot(nu.tangent, nu.tangent))));
  }
  return result;
}

Unrolled QuadraticProblems::unroll_with_gradient(std::vector<Lane> lanes, const Values& theta,
                                                 const UnrollOptions& options, bool from_start,
                                                 Values& gradient) const {
  const std::vector<Values> thetas(lanes.size(), theta);
  LaneGradients gradients;
  Unrolled result = unroll_with_lane_gradients(std::move(lanes), thetas, options, from_start, {}, gradients);
  for (const Values& own : gradients.of_losses) add_scaled(gradient, 1 / static_cast<float>(thetas.size()), own);
  return result;
}

Unrolled QuadraticProblems::unroll_with_tangents(std::vector<Lane> lanes, const Values& theta,
                                                 const UnrollOptions& options, const TangentOptions& tangents,
                                                 Slopes& slopes) const {
  const std::vector<Lane> before = lanes;
  const std::vector<Values> thetas(lanes.size(), theta);
  Unrolled result = unroll(std::move(lanes), thetas, options);
  slopes = {};
  const auto steps = static_cast<std::size_t>(options.steps);
  for (std::size_t i = 0; i < before.size(); ++i) {
    const std::size_t count =
        tangents.every_weight ? size : std::max<std::size_t>(1, tangents.directions[i].now.size());
    std::vector<float> of_steps(steps * count);
    result.lanes[i].tangents.clear();
    for (std::size_t d = 0; d < count; ++d) {
      std::vector<float> way(size, 0), begun(size, 0);
      if (tangents.every_weight) {
        way[d] = begun[d] = 1;
      } else if (const LaneDirections& own = tangents.directions[i]; !own.now.empty()) {
        way = flat(own.now[d]);
        begun = own.begun.empty() ? way : flat(own.begun[d]);
      }
      Mean mean(before[i]);
      std::vector<float> moves(size, 0);
      if (d < before[i].tangents.size()) moves = flat({{"mean", before[i].tangents[d]["mean"]}});
      for (std::size_t step = 0; step < steps; ++step) {
        if (result.began[i * steps + step]) {
          mean.restart();
          moves.assign(size, 0);
          way = begun;
        }
        for (std::size_t k = 0; k < size; ++k) moves[k] += (way[k] - moves[k]) / (mean.seen + 1);
        mean.see(flat(theta));
        for (std::size_t k = 0; k < size; ++k)
          of_steps[step * count + d] += scale_ * moves[k] * (mean.mean[k] - target[k]);
      }
      const Values tangent{{"mean", Array({size}, moves)}, {"seen", Array(DType::float32, {})}};
      slopes.norms.push_back(static_cast<float>(std::sqrt(dot(tangent, tangent))));
      result.lanes[i].tangents.push_back(tangent);
    }
    slopes.losses.insert(slopes.losses.end(), of_steps.begin(), of_steps.end());
  }
  return result;
}

}  // namespace lopt
