#pragma once
// What celo2 and celo2_base share (Celo2, arXiv 2602.19142): the accumulators, their features and the network that
// makes a direction of them. What becomes of the direction is theirs.

#include "tensor_moments.h"

#include <cmath>

namespace lopt::celo2 {

inline constexpr double size_decay = 0.95, epsilon = 1e-8;
/// Vectors have the first nine groups of features.
inline constexpr std::size_t groups_of_vectors = 9;
inline constexpr std::int64_t hidden = 8;

/// x over its root mean square over the last two dimensions (all, of fewer).
inline Tensor normalized(const Tensor& x) {
  return normalized_by_moment(x, 1e-9, x.rank() >= 2 ? std::vector<int>{-2, -1} : std::vector<int>{});
}

/// θ: `ff_mod_stack/~/w0__K` are the first layer's rows of group K, as the JAX release has them.
inline Tree initial_theta(const Key& key) {
  const std::vector<Key> keys = split(key, static_cast<int>(std::size(feature_groups)) + 2);
  double inputs = 0;
  for (std::int64_t size : feature_groups) inputs += static_cast<double>(size);
  std::vector<Tree::Entry> layers;
  std::size_t next = 0;
  for (std::int64_t size : feature_groups) {
    layers.emplace_back("w0__" + std::to_string(next), normal(keys[next], {size, hidden}) / std::sqrt(inputs));
    ++next;
  }
  layers.emplace_back("b0", zeros({hidden}));
  layers.emplace_back("w1", normal(keys[next], {hidden, hidden}) / std::sqrt(static_cast<double>(hidden)));
  layers.emplace_back("b1", zeros({hidden}));
  layers.emplace_back("w2", normal(keys[next + 1], {hidden, 3}) / std::sqrt(static_cast<double>(hidden)));
  layers.emplace_back("b2", zeros({3}));
  return {{"ff_mod_stack", Tree{{"~", Tree(std::move(layers))}}}};
}

/// A feature of each parameter, and the few numbers that it repeats along a dimension (else the feature itself).
struct Feature {
  Tensor values, numbers;
  explicit Feature(const Tensor& each) : values(each), numbers(each) {}
  Feature(Tensor repeated, Tensor once) : values(std::move(repeated)), numbers(std::move(once)) {}
};

/// The direction s of a tensor: output 0 of a network 30 → 8 → 8 → 3 with relu on normalised features; vectors have no
/// factored accumulators, and use the first fifteen rows of the first layer.
class Direction {
 public:
  explicit Direction(const Tree& theta) : layers_(theta["ff_mod_stack"]["~"]) {}

  Tensor operator()(const Tensor& p, const Tensor& gradient, const TensorMoments& moments) const {
    const std::vector<Feature> features = features_of(p, gradient, moments);
    std::vector<Tensor> rows, inputs, scales;
    const std::size_t groups = p.rank() >= 2 ? std::size(feature_groups) : groups_of_vectors;
    for (std::size_t group = 0; group < groups; ++group) rows.push_back(layers_["w0__" + std::to_string(group)]);
    Tensor first = concatenate(rows, 0);
    for (const Feature& feature : features) {
      // One scale for the whole tensor goes into the weights, once for all parameters.
      inputs.push_back(p.rank() > 2 ? normalized(feature.values) : feature.values);
      if (p.rank() <= 2) scales.push_back(rsqrt(mean(square(feature.numbers)) + 1e-9));
    }
    if (!scales.empty()) first = first * expand_dims(stack(scales, 0), 1);
    const Tensor out = dense_network(stack(inputs, -1), {first, layers_["w1"], layers_["w2"]},
                                     {layers_["b0"], layers_["b1"], layers_["b2"]});
    return take(out, 0, -1);
  }

 private:
  static std::vector<Feature> features_of(const Tensor& p, const Tensor& g, const TensorMoments& moments) {
    const Shape& shape = p.shape();
    const Tensor inverse = rsqrt(moments.size + epsilon);
    std::vector<Feature> features{Feature(g), Feature(clamp(g, -0.1, 0.1)), Feature(p)};
    const auto add = [&](auto feature) {
      for (std::size_t k = 0; k < 3; ++k) features.push_back(Feature(feature(moments.momenta[k], moments.factored[k])));
    };
    add([](const Tensor& m, const FactoredMoment&) { return Feature(m); });
    features.emplace_back(moments.size);
    add([&](const Tensor& m, const FactoredMoment&) { return Feature(m * inverse); });
    features.emplace_back(inverse);
    add([&](const Tensor&, const FactoredMoment& f) { return Feature(g * f.inverse_root(shape)); });
    features.emplace_back(g * inverse);
    if (p.rank() < 2) return features;
    const auto roots = [](const FactoredMoment& f) {
      return FactoredMoment{rsqrt(f.row + epsilon), rsqrt(f.column + epsilon)};
    };
    add([&](const Tensor&, const FactoredMoment& f) { return Feature(f.row_of(shape), f.row); });
    add([&](const Tensor&, const FactoredMoment& f) { return Feature(f.column_of(shape), f.column); });
    add([&](const Tensor&, const FactoredMoment& f) { return Feature(roots(f).row_of(shape), roots(f).row); });
    add([&](const Tensor&, const FactoredMoment& f) { return Feature(roots(f).column_of(shape), roots(f).column); });
    add([&](const Tensor& m, const FactoredMoment& f) { return Feature(m * f.inverse_root(shape)); });
    return features;
  }

  Tree layers_;
};

/// Gradients as the rules see them.
inline Tensor clipped(const Tensor& gradient) { return clamp(gradient, -1000, 1000); }

/// Keeps the accumulators of each tensor, and moves it by what a rule makes of them.
class Rule : public Optimizer {
 public:
  Tree init(const Tree& params, const InitContext&) const override {
    Tree state{{"params", params}};
    put_moments(state, params, TensorMoments::start(params));
    return state;
  }

  Tree update(const Tree& state, const Tree& grads, const UpdateContext& context) const override {
    std::vector<TensorMoments> moments = take_moments(state);
    const std::vector<Tensor> p = state["params"].leaves(), g = grads.leaves();
    std::vector<Tensor> next;
    for (std::size_t i = 0; i < p.size(); ++i) {
      const Tensor gradient = clipped(g[i]);
      moments[i] = moments[i].updated(gradient, size_decay);
      next.push_back(p[i] - step_of(p[i], gradient, moments[i], context));
    }
    Tree result{{"params", grads.with_leaves<Tensor>(next)}};
    put_moments(result, grads, moments);
    return result;
  }

  Tree params(const Tree& state) const override { return state["params"]; }

 protected:
  explicit Rule(const Tree& theta) : direction_(theta) {}
  virtual Tensor step_of(const Tensor& p, const Tensor& gradient, const TensorMoments& moments,
                         const UpdateContext& context) const = 0;

  Direction direction_;
};

}  // namespace lopt::celo2
