#pragma once
// What celo2 and celo2_base share (Celo2, arXiv 2602.19142): the accumulators, their features and the network that
// makes a direction of them. What becomes of the direction is theirs.

#include <lopt/plugin.h>

#include <cmath>

namespace lopt::celo2 {

inline constexpr double momentum_decays[] = {0.9, 0.99, 0.999};
inline constexpr double size_decay = 0.95, epsilon = 1e-8;
/// Groups of features: of one or of three; vectors have the first nine groups.
inline constexpr std::int64_t group_sizes[] = {1, 1, 1, 3, 1, 3, 1, 3, 1, 3, 3, 3, 3, 3};
inline constexpr std::size_t groups_of_vectors = 9;
inline constexpr std::int64_t hidden = 8;

/// x over its root mean square over the last two dimensions (all, of fewer).
inline Tensor normalized(const Tensor& x) {
  return normalized_by_moment(x, 1e-9, x.rank() >= 2 ? std::vector<int>{-2, -1} : std::vector<int>{});
}

/// θ: `ff_mod_stack/~/w0__K` are the first layer's rows of group K, as the JAX release has them.
inline Tree initial_theta(const Key& key) {
  const std::vector<Key> keys = split(key, static_cast<int>(std::size(group_sizes)) + 2);
  double inputs = 0;
  for (std::int64_t size : group_sizes) inputs += static_cast<double>(size);
  std::vector<Tree::Entry> layers;
  std::size_t next = 0;
  for (std::int64_t size : group_sizes) {
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

/// The accumulators of one parameter tensor, without bias correction.
struct Moments {
  std::vector<Tensor> momenta;
  Tensor size;  // second moment
  std::vector<FactoredMoment> factored;

  static Moments start(const Tensor& p) {
    const FactoredMoment factored = FactoredMoment::start(p);
    return {{zeros_like(p), zeros_like(p), zeros_like(p)}, zeros_like(p), {factored, factored, factored}};
  }
  Moments updated(const Tensor& gradient) const {
    Moments next{{}, moving_mean(size, square(gradient), size_decay), {}};
    for (std::size_t k = 0; k < 3; ++k) {
      next.momenta.push_back(moving_mean(momenta[k], gradient, momentum_decays[k]));
      next.factored.push_back(factored[k].updated(gradient, momentum_decays[k]));
    }
    return next;
  }
};

/// All moments as entries of a state, and back.
inline void put_moments(Tree& state, const Tree& like, const std::vector<Moments>& moments) {
  const auto put = [&](const std::string& name, auto leaf_of) {
    std::vector<Tensor> leaves;
    for (const Moments& of_leaf : moments) leaves.push_back(leaf_of(of_leaf));
    state.set(name, like.with_leaves<Tensor>(leaves));
  };
  put("size", [](const Moments& m) { return m.size; });
  for (std::size_t k = 0; k < 3; ++k) {
    const std::string number = std::to_string(k);
    put("momentum" + number, [k](const Moments& m) { return m.momenta[k]; });
    put("row" + number, [k](const Moments& m) { return m.factored[k].row; });
    put("column" + number, [k](const Moments& m) { return m.factored[k].column; });
  }
}
inline std::vector<Moments> take_moments(const Tree& state) {
  std::vector<Moments> moments;
  for (const Tensor& size : state["size"].leaves()) moments.push_back({{}, size, {}});
  for (std::size_t k = 0; k < 3; ++k) {
    const std::string number = std::to_string(k);
    const std::vector<Tensor> momentum = state["momentum" + number].leaves(), row = state["row" + number].leaves(),
                              column = state["column" + number].leaves();
    for (std::size_t leaf = 0; leaf < moments.size(); ++leaf) {
      moments[leaf].momenta.push_back(momentum[leaf]);
      moments[leaf].factored.push_back({row[leaf], column[leaf]});
    }
  }
  return moments;
}

/// The direction s of a tensor: output 0 of a network 30 → 8 → 8 → 3 with relu on normalised features; vectors have no
/// factored accumulators, and use the first fifteen rows of the first layer.
class Direction {
 public:
  explicit Direction(const Tree& theta) : layers_(theta["ff_mod_stack"]["~"]) {}

  Tensor operator()(const Tensor& p, const Tensor& gradient, const Moments& moments) const {
    std::vector<Tensor> features = features_of(p, gradient, moments);
    for (Tensor& feature : features) feature = normalized(feature);
    std::vector<Tensor> rows;
    const std::size_t groups = p.rank() >= 2 ? std::size(group_sizes) : groups_of_vectors;
    for (std::size_t group = 0; group < groups; ++group) rows.push_back(layers_["w0__" + std::to_string(group)]);
    const Tensor out = dense_network(stack(features, -1), {concatenate(rows, 0), layers_["w1"], layers_["w2"]},
                                     {layers_["b0"], layers_["b1"], layers_["b2"]});
    return take(out, 0, -1);
  }

 private:
  static std::vector<Tensor> features_of(const Tensor& p, const Tensor& g, const Moments& moments) {
    const Shape& shape = p.shape();
    const Tensor inverse = rsqrt(moments.size + epsilon);
    std::vector<Tensor> features{g, clamp(g, -0.1, 0.1), p};
    const auto add = [&](auto feature) {
      for (std::size_t k = 0; k < 3; ++k) features.push_back(feature(moments.momenta[k], moments.factored[k]));
    };
    add([](const Tensor& m, const FactoredMoment&) { return m; });
    features.push_back(moments.size);
    add([&](const Tensor& m, const FactoredMoment&) { return m * inverse; });
    features.push_back(inverse);
    add([&](const Tensor&, const FactoredMoment& f) { return g * f.inverse_root(shape); });
    features.push_back(g * inverse);
    if (p.rank() < 2) return features;
    add([&](const Tensor&, const FactoredMoment& f) { return f.row_of(shape); });
    add([&](const Tensor&, const FactoredMoment& f) { return f.column_of(shape); });
    add([&](const Tensor&, const FactoredMoment& f) { return rsqrt(f.row_of(shape) + epsilon); });
    add([&](const Tensor&, const FactoredMoment& f) { return rsqrt(f.column_of(shape) + epsilon); });
    add([&](const Tensor& m, const FactoredMoment& f) { return m * f.inverse_root(shape); });
    return features;
  }

  Tree layers_;
};

/// Gradients as the rules see them.
inline Tensor clipped(const Tensor& gradient) { return clamp(gradient, -1000, 1000); }

}  // namespace lopt::celo2
