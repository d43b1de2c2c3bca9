#pragma once
// What celo and velo share: the accumulators of a tensor, the features of a parameter and the network 30 → hidden →
// hidden → 3 on them, the history of the loss, and the LSTM over tensors. What the LSTM decides is theirs.

#include "step_size.h"
#include "tensor_moments.h"

#include <array>
#include <cmath>

namespace lopt::lstm_and_network {

inline constexpr double size_decay = 0.999;
inline constexpr std::int64_t features = 30;

inline Tensor clipped(const Tensor& gradient) { return clamp(gradient, -1000, 1000); }

/// g, clip(g), p, m, v, m/√v, 1/√v, f, g/√v, rows, columns, 1/√rows, 1/√columns, m · r·c; of vectors the second moment
/// stands for rows and columns.
inline std::vector<Tensor> features_of(const Tensor& p, const Tensor& g, const TensorMoments& moments) {
  constexpr double least = 1e-20;  // of a second moment that is divided by: products with its slope stay finite
  const Shape& shape = p.shape();
  const Tensor inverse = rsqrt(moments.size + 1e-6);
  std::vector<Tensor> result{g, clamp(g, -0.1, 0.1), p};
  const auto add = [&](auto feature) {
    for (std::size_t k = 0; k < 3; ++k) result.push_back(feature(moments.momenta[k], moments.factored[k]));
  };
  add([](const Tensor& m, const FactoredMoment&) { return m; });
  result.push_back(moments.size);
  add([&](const Tensor& m, const FactoredMoment&) { return m * inverse; });
  result.push_back(inverse);
  add([&](const Tensor&, const FactoredMoment& f) { return g * f.inverse_root(shape); });
  result.push_back(g * inverse);
  add([&](const Tensor&, const FactoredMoment& f) { return f.row_of(shape); });
  add([&](const Tensor&, const FactoredMoment& f) { return f.column_of(shape); });
  add([&](const Tensor&, const FactoredMoment& f) { return rsqrt(f.row_of(shape) + 1e-8); });
  add([&](const Tensor&, const FactoredMoment& f) { return rsqrt(f.column_of(shape) + 1e-8); });
  add([&](const Tensor& m, const FactoredMoment& f) {
    return m * (shape.size() >= 2 ? f.inverse_root(shape) : rsqrt(maximum(f.row, least)));
  });
  return result;
}

/// The network's weights as layers: [30, hidden], [hidden, hidden], [hidden, 3].
struct Network {
  std::vector<Tensor> weights, biases;
};
/// (direction, logarithm of the size, unused) for each parameter: [..., 3].
inline Tensor outputs(const Network& network, const Tensor& p, const Tensor& gradient, const TensorMoments& moments) {
  std::vector<Tensor> inputs = features_of(p, gradient, moments);
  for (Tensor& input : inputs) input = normalized_by_moment(input, 1e-5);
  return dense_network(stack(inputs, -1), network.weights, network.biases);
}
/// direction · rms(p) · e^(exponent · size).
inline Tensor step_of(const Tensor& out, const Tensor& p, double exponent) {
  return take(out, 0, -1) * sqrt(mean(square(p)) + 1e-9) * step_size(out, exponent);
}

/// A bank of networks as θ: `w0__K` are the first layer's rows of group K.
inline Tree initial_bank(const Key& key, std::int64_t networks, std::int64_t hidden) {
  const std::vector<Key> keys = split(key, static_cast<int>(std::size(feature_groups)) + 2);
  const auto weights = [&](const Key& k, std::int64_t rows, std::int64_t width, std::int64_t fan_in) {
    return initial_weights("truncated_normal", k, {networks, rows, width}, 1 / std::sqrt(static_cast<double>(fan_in)));
  };
  std::vector<Tree::Entry> layers;
  std::size_t next = 0;
  for (const std::int64_t size : feature_groups) {
    layers.emplace_back("w0__" + std::to_string(next), weights(keys[next], size, hidden, features));
    ++next;
  }
  layers.emplace_back("w1", weights(keys[next], hidden, hidden, hidden));
  layers.emplace_back("w2", weights(keys[next + 1], hidden, 3, hidden));
  for (int i = 0; i < 3; ++i) layers.emplace_back("b" + std::to_string(i), zeros({networks, i < 2 ? hidden : 3}));
  return {{"~", Tree(std::move(layers))}};
}

/// The bank's tensors in the order of layers: first layer [networks, 30, hidden].
struct Bank {
  std::vector<Tensor> weights, biases;

  explicit Bank(const Tree& theta) {
    const Tree& layers = theta["~"];
    std::vector<Tensor> rows;
    for (std::size_t group = 0; group < std::size(feature_groups); ++group)
      rows.push_back(layers["w0__" + std::to_string(group)]);
    weights = {concatenate(rows, 1), layers["w1"], layers["w2"]};
    biases = {layers["b0"], layers["b1"], layers["b2"]};
  }
  /// Σ share[i] · network i.
  Network mixed(const Tensor& share) const {
    const auto mix = [&](const Tensor& bank) {
      Shape shape = bank.shape();
      const Tensor flat = reshape(bank, {shape[0], -1});
      shape.erase(shape.begin());
      return reshape(matmul(reshape(share, {1, -1}), flat), shape);
    };
    Network network;
    for (const Tensor& bank : weights) network.weights.push_back(mix(bank));
    for (const Tensor& bank : biases) network.biases.push_back(mix(bank));
    return network;
  }
};

/// Running means of the loss over ten horizons from 10 updates to all of them, and what they say of progress.
class LossHistory {
 public:
  static constexpr std::int64_t horizons = 10;

  /// Throws std::invalid_argument where it is not known how many updates there are.
  explicit LossHistory(std::int64_t num_steps) {
    if (num_steps <= 0)
      throw std::invalid_argument("needs to know how many updates there are, as in problems of a certain length");
    std::vector<float> values;
    const float last = std::log10(static_cast<float>(num_steps));
    for (std::int64_t i = 0; i < horizons; ++i) {
      const float horizon = std::pow(10.0F, 1 + (last - 1) * static_cast<float>(i) / (horizons - 1));
      values.push_back(std::exp(-1 / horizon));
    }
    decays_ = Tensor(Array({horizons}, values));
  }

  static Tree start() { return {{"means", zeros({horizons})}, {"least", full({horizons}, 1e12)}}; }

  /// After a loss, which is the `count`th (from 1). A loss above twice the largest mean counts as that.
  Tree updated(const Tree& state, const Tensor& loss, const Tensor& count) const {
    const Tensor correction = 1 - power(decays_, count);
    const Tensor largest = where(count <= 1, loss, max(state["means"].leaf() / correction));
    const Tensor means = moving_mean(state["means"].leaf(), minimum(abs(largest) * 2, loss), decays_);
    return {{"means", means}, {"least", minimum(state["least"].leaf(), means / correction)}};
  }

  /// (mean − least) / (mean of the next horizon − least) − 1, within ±1: [9]. Zeros for the first two losses.
  Tensor features(const Tree& state, const Tensor& count) const {
    const Tensor means = state["means"].leaf() / (1 - power(decays_, count));
    const Tensor shorter = slice(means, {0}, {horizons - 1}), longer = slice(means, {1}, {horizons}),
                 least = slice(state["least"].leaf(), {0}, {horizons - 1});
    const Tensor feature = (shorter - least) / maximum(longer - least, 1e-8) - 1;
    return where(broadcast_to(count <= 2, feature.shape()), zeros_like(feature), clamp(feature, -1, 1));
  }

 private:
  Tensor decays_;
};

/// tanh(10 · (share of the updates − s)) for nine s: [9].
inline Tensor embedded_share(const UpdateContext& update) {
  constexpr float at[] = {0.03F, 0.1F, 0.2F, 0.4F, 0.6F, 0.8F, 0.9F, 1.0F, 1.1F};
  const ScheduleContext context = schedule_context(update);
  const Tensor share = context.step / maximum(context.steps, 1);
  return tanh((share - Tensor(Array({std::ssize(at)}, std::span<const float>(at)))) * 10);
}

/// θ of the LSTM over tensors: layers that mix the tensors' inputs, the cell, and two linear outputs of it.
inline Tree initial_lstm(const Key& key, std::int64_t inputs, std::int64_t hidden, std::int64_t controls) {
  const std::vector<Key> keys = split(key, 6);
  const auto linear = [](const Key& k, std::int64_t in, std::int64_t out) {
    return Tree{{"w", fan_in_weights(k, in, out)}, {"b", zeros({out})}};
  };
  return {{"linear", linear(keys[0], inputs, hidden)},
          {"linear_1", linear(keys[1], inputs, hidden)},
          {"linear_2", linear(keys[2], inputs, hidden)},
          {"rnn", Tree{{"linear", linear(keys[3], 2 * hidden, 4 * hidden)}}},
          {"rnn_to_controls", linear(keys[4], hidden, controls)},
          {"step_size", linear(keys[5], hidden, 1)}};
}

/// θ of both, by the names of the JAX releases.
inline Tree initial_theta(const Key& key, std::int64_t lstm_inputs, std::int64_t lstm_hidden, std::int64_t networks,
                          std::int64_t hidden) {
  const std::vector<Key> keys = split(key, 2);
  return {{"lstm_init_state", Tree{{"hidden", zeros({1, lstm_hidden})}, {"cell", zeros({1, lstm_hidden})}}},
          {"rnn_params", initial_lstm(keys[0], lstm_inputs, lstm_hidden, networks)},
          {"ff_mod_stack", initial_bank(keys[1], networks, hidden)}};
}

inline Tensor linear(const Tree& layer, const Tensor& x) { return matmul(x, layer["w"]) + layer["b"]; }

/// The LSTM's state after inputs [tensors, n]: each tensor also sees the largest of what all say of themselves.
inline RecurrentState run_lstm(const Tree& theta, const Tensor& inputs, const RecurrentState& state) {
  const Tensor all = max(relu(linear(theta["linear_1"], inputs)), {0});
  const Tensor x = linear(theta["linear_2"], inputs) + all;
  return lstm(x, state, theta["rnn"]["linear"]["w"], theta["rnn"]["linear"]["b"]);
}

}  // namespace lopt::lstm_and_network
