#include "../antithetic.h"
#include "../loss_clip.h"

#include <lopt/plugin.h>

#include <cmath>

using namespace lopt;

/// Guided evolution strategies (Maheswaranathan et al., 2019): a surrogate gradient that is cheap and points roughly
/// the right way says where to look. With U [n, k] an orthonormal basis of the last k surrogate gradients of n weights,
///   ε = σ (√(α/n) z + √((1 − α)/k) U z'),  z, z' normal,
///   gradient = β / (2σ²) · mean over tasks of (L(θ+ε) − L(θ−ε)) ε,
/// on whole problems of `unroll_length` steps. α = 1 is evolution strategies, α = 0 looks in the surrogates' plane
/// alone. Its mean is the gradient times β (α/n + (1 − α)/k U Uᵀ): the length is not the gradient's, and directions
/// within the plane count more. The surrogate's estimate at θ is taken before the directions are drawn.
class GuidedEs final : public GradientEstimator {
 public:
  explicit GuidedEs(Settings& s)
      : tasks_(s.integer("tasks", 32)
                   .between(1, 1 << 20)
                   .doc("directions, each with a problem of its own that runs twice")),
        unroll_length_(
            s.integer("unroll_length", 10).between(1, 1 << 20).unit("steps").doc("inner steps of a problem")),
        std_(static_cast<float>(
            double{s.real("std", 0.01).above(0).at_most(1e6).doc("σ, scale of the perturbations of θ")})),
        surrogate_(s.component<GradientEstimator>("surrogate", "{plugin: truncated_gradient, tasks: 4}")
                       .doc("the estimator whose gradients guide")),
        history_(s.integer("history", 4).between(1, 1024).doc("k, surrogate gradients that are remembered")),
        alpha_(s.real("alpha", 0.5).between(0, 1).doc("α, share of the variance outside of the surrogates' plane")),
        beta_(static_cast<float>(double{s.real("beta", 2).above(0).at_most(1e9).doc("β, the scale of the gradient")})),
        loss_clip_(loss_clip_of(s)),
        clip_(s) {}

  EstimatorState init(const Values& theta, HostKey key, const Unroller& unroller) const override {
    EstimatorState inner = surrogate_->init(theta, key, unroller);
    return {std::move(inner.lanes),
            {{"position", Array::scalar<std::int32_t>(0)},
             {"remembered", Array::scalar<std::int32_t>(0)},
             {"history", stacked_zeros(theta, history_)},
             {"surrogate", inner.values.entries().empty() ? Values{{"none", Array::scalar(0.0F)}} : inner.values}}};
  }

  Estimate estimate(const Values& theta, HostKey key, EstimatorState& state, const Unroller& unroller) const override {
    const std::vector<HostKey> halves = split(key);
    remember(surrogate_gradient(theta, halves[0], state, unroller), state);
    const std::vector<Values> basis = basis_of(state);
    const std::vector<HostKey> keys = task_keys(halves[1], tasks_);
    std::vector<Values> noise;
    for (HostKey own : keys) noise.push_back(direction(own, theta, basis));
    const AntitheticPairs pairs = pairs_of(theta, std::move(noise));
    const std::int32_t position = state.values["position"].leaf().item<std::int32_t>();
    std::vector<LaneStart> starts;
    for (std::size_t i = 0; i < pairs.thetas.size(); ++i)
      starts.push_back({pairs.thetas[i], keys[i % keys.size()], static_cast<std::uint32_t>(i % keys.size()), position});
    UnrollOptions options;
    options.steps = unroll_length_;
    options.loss_clip = loss_clip_;
    const Unrolled unrolled = unroller.unroll(unroller.start(starts), pairs.thetas, options);
    const PairLosses losses{unrolled, keys.size(), static_cast<std::size_t>(unroll_length_)};
    MeanGradient gradient(theta, keys.size(), clip_);
    for (std::size_t task = 0; task < keys.size(); ++task)
      gradient.add({{beta_ * losses.difference(task) / (2 * std_ * std_), pairs.noise[task]}});
    state.values.set("position", Array::scalar<std::int32_t>(position + unroll_length_));
    return {losses.mean(), gradient.take()};
  }

  std::string bias() const override {
    return "the covariance of its directions, β (α/n + (1 − α)/k U Uᵀ), which multiplies the gradient";
  }
  std::int64_t problem_steps() const override { return unroll_length_; }

 private:
  Values surrogate_gradient(const Values& theta, HostKey key, EstimatorState& state, const Unroller& unroller) const {
    EstimatorState inner{std::move(state.lanes), state.values["surrogate"]};
    Values gradient = surrogate_->estimate(theta, key, inner, unroller).gradient;
    state.lanes = std::move(inner.lanes);
    state.values.set("surrogate", std::move(inner.values));
    return gradient;
  }

  /// Where the oldest was. One that is not finite guides nowhere, and is not kept.
  void remember(const Values& gradient, EstimatorState& state) const {
    if (!std::isfinite(dot(gradient, gradient))) return;
    const std::int32_t before = state.values["remembered"].leaf().item<std::int32_t>();
    std::vector<Values> rows;
    for (int row = 0; row < history_; ++row)
      rows.push_back(row == before % history_ ? gradient
                                              : row_of(state.values["history"], static_cast<std::size_t>(row)));
    state.values.set("history", stacked(rows));
    state.values.set("remembered", Array::scalar(before + 1));
  }

  /// An orthonormal basis of what is remembered (Gram and Schmidt, twice); shorter where that is dependent.
  std::vector<Values> basis_of(const EstimatorState& state) const {
    std::vector<Values> basis;
    const int count = std::min(history_, state.values["remembered"].leaf().item<std::int32_t>());
    for (int row = 0; row < count; ++row) {
      Values vector = row_of(state.values["history"], static_cast<std::size_t>(row));
      const double length = std::sqrt(dot(vector, vector));
      if (!(length > 0)) continue;
      vector = scaled(vector, 1 / length);
      for (int pass = 0; pass < 2; ++pass)
        for (const Values& other : basis) add_scaled(vector, -static_cast<float>(dot(vector, other)), other);
      const double rest = std::sqrt(dot(vector, vector));
      if (rest > 1e-3) basis.push_back(scaled(vector, 1 / rest));
    }
    return basis;
  }

  Values direction(HostKey key, const Values& theta, const std::vector<Values>& basis) const {
    std::size_t weights = 0;
    for (const Array& leaf : theta.leaves()) weights += leaf.size();
    const double alpha = basis.empty() ? 1 : alpha_;
    Values result = normal_like(key, theta, std_ * static_cast<float>(std::sqrt(alpha / static_cast<double>(weights))));
    if (basis.empty()) return result;
    constexpr std::uint32_t plane_key = 0x706c616e;  // "plan"
    const Array along = normal(fold_in(key, plane_key), {static_cast<std::int64_t>(basis.size())});
    const auto scale = std_ * static_cast<float>(std::sqrt((1 - alpha) / static_cast<double>(basis.size())));
    for (std::size_t i = 0; i < basis.size(); ++i) add_scaled(result, scale * along.values<float>()[i], basis[i]);
    return result;
  }

  static Values scaled(const Values& tree, double factor) {
    Values result = zeros_like(tree);
    add_scaled(result, static_cast<float>(factor), tree);
    return result;
  }

  int tasks_, unroll_length_;
  float std_;
  std::shared_ptr<const GradientEstimator> surrogate_;
  int history_;
  double alpha_;
  float beta_;
  float loss_clip_;
  TaskClip clip_;
};

LOPT_PLUGIN(GuidedEs, "guided_es",
            {.summary = "Evolution strategies that look where surrogate gradients point",
             .paper = "Maheswaranathan et al., Guided evolutionary strategies: augmenting random search with surrogate "
                      "gradients, ICML 2019",
             .url = "https://arxiv.org/abs/1806.10230"})
