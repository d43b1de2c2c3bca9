#include "../vectors.h"
#include "../whole_problems.h"

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
      : problems_(s),
        std_(static_cast<float>(
            double{s.real("std", 0.01).above(0).at_most(1e6).doc("σ, scale of the perturbations of θ")})),
        surrogate_(s.component<GradientEstimator>("surrogate", "{plugin: truncated_gradient, tasks: 4}")
                       .doc("the estimator whose gradients guide")),
        history_(s.integer("history", 4).between(1, 1024).doc("k, surrogate gradients that are remembered")),
        alpha_(s.real("alpha", 0.5).between(0, 1).doc("α, share of the variance outside of the surrogates' plane")),
        beta_(static_cast<float>(double{s.real("beta", 2).above(0).at_most(1e9).doc("β, the scale of the gradient")})),
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
    const std::vector<HostKey> keys = task_keys(halves[1], problems_.tasks);
    std::vector<Values> noise;
    for (HostKey own : keys) noise.push_back(direction(own, theta, basis));
    const AntitheticPairs pairs = pairs_of(theta, std::move(noise));
    const std::int32_t position = state.values["position"].leaf().item<std::int32_t>();
    const Unrolled unrolled = problems_.unroll(pairs, keys, position, unroller);
    const PairLosses losses{unrolled, keys.size(), static_cast<std::size_t>(problems_.unroll_length)};
    MeanGradient gradient(theta, keys.size(), clip_);
    for (std::size_t task = 0; task < keys.size(); ++task)
      gradient.add({{beta_ * losses.difference(task) / (2 * std_ * std_), pairs.noise[task]}});
    state.values.set("position", Array::scalar<std::int32_t>(position + problems_.unroll_length));
    return {losses.mean(), gradient.take()};
  }

  std::string bias() const override {
    return "the covariance of its directions, β (α/n + (1 − α)/k U Uᵀ), which multiplies the gradient";
  }
  std::int64_t problem_steps() const override { return problems_.unroll_length; }

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

  /// An orthonormal basis of what is remembered; shorter where that is dependent.
  std::vector<Values> basis_of(const EstimatorState& state) const {
    std::vector<Values> basis;
    const int count = std::min(history_, state.values["remembered"].leaf().item<std::int32_t>());
    for (int row = 0; row < count; ++row) {
      Values vector = row_of(state.values["history"], static_cast<std::size_t>(row));
      const double length = std::sqrt(dot(vector, vector));
      if (!(length > 0)) continue;
      vector = orthogonal_part(scaled(vector, 1 / length), basis);
      const double rest = std::sqrt(dot(vector, vector));
      if (rest > 1e-3) basis.push_back(scaled(vector, 1 / rest));
    }
    return basis;
  }

  Values direction(HostKey key, const Values& theta, const std::vector<Values>& basis) const {
    const double alpha = basis.empty() ? 1 : alpha_;
    Values result =
        normal_like(key, theta, std_ * static_cast<float>(std::sqrt(alpha / static_cast<double>(weights_of(theta)))));
    if (basis.empty()) return result;
    constexpr std::uint32_t plane_key = 0x706c616e;  // "plan"
    const Array along = normal(fold_in(key, plane_key), {static_cast<std::int64_t>(basis.size())});
    const auto scale = std_ * static_cast<float>(std::sqrt((1 - alpha) / static_cast<double>(basis.size())));
    for (std::size_t i = 0; i < basis.size(); ++i) add_scaled(result, scale * along.values<float>()[i], basis[i]);
    return result;
  }

  WholeProblems problems_;
  float std_;
  std::shared_ptr<const GradientEstimator> surrogate_;
  int history_;
  double alpha_;
  float beta_;
  TaskClip clip_;
};

LOPT_PLUGIN(GuidedEs, "guided_es",
            {.summary = "Evolution strategies that look where surrogate gradients point",
             .paper = "Maheswaranathan et al., Guided evolutionary strategies: augmenting random search with surrogate "
                      "gradients, ICML 2019",
             .url = "https://arxiv.org/abs/1806.10230"})
