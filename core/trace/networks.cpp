#include <lopt/networks.h>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace lopt {
namespace {

struct Activation {
  std::string name;
  Tensor (*function)(const Tensor&);
};
const std::vector<Activation>& activations() {
  static const std::vector<Activation> all{
      {"relu", relu}, {"tanh", tanh},         {"sigmoid", sigmoid},
      {"silu", silu}, {"softplus", softplus}, {"gelu", gelu}, {"exact_gelu", exact_gelu},
      {"leaky_relu", [](const Tensor& x) { return leaky_relu(x); }},
      {"identity", [](const Tensor& x) { return x; }},
  };
  return all;
}

/// The layers after the first, whose output without activation is `x`.
Tensor layers_after_first(Tensor x, const std::vector<Tensor>& weights, const std::vector<Tensor>& biases,
                          std::string_view activation_name) {
  for (std::size_t i = 1; i < weights.size(); ++i) x = matmul(activation(activation_name, x), weights[i]) + biases[i];
  return x;
}

Shape with_last(Shape shape, std::int64_t last) {
  shape.back() = last;
  return shape;
}
/// Columns first … end − 1 of the last dimension.
Tensor columns(const Tensor& x, std::int64_t first, std::int64_t end) {
  Shape start(x.shape().size(), 0);
  return slice(x, with_last(start, first), with_last(x.shape(), end));
}
Tensor rows(const Tensor& w, std::int64_t first, std::int64_t end) { return slice(w, {first, 0}, {end, w.dim(1)}); }

}  // namespace

const std::vector<std::string>& activation_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> result;
    for (const Activation& a : activations()) result.push_back(a.name);
    return result;
  }();
  return names;
}

Tensor activation(std::string_view name, const Tensor& x) {
  for (const Activation& a : activations())
    if (a.name == name) return a.function(x);
  throw std::invalid_argument(
      fmt::format("there is no activation '{}'; there are: {}", name, fmt::join(activation_names(), ", ")));
}

Tensor gelu(const Tensor& x) {
  return 0.5 * x * (1 + tanh(std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * (x * x * x))));
}
Tensor exact_gelu(const Tensor& x) { return 0.5 * x * (1 + erf(x * std::sqrt(0.5))); }
Tensor leaky_relu(const Tensor& x, double slope) { return where(x > 0, x, slope * x); }
Tensor silu(const Tensor& x) { return x * sigmoid(x); }
Tensor softplus(const Tensor& x) { return relu(x) + log1p(exp(-abs(x))); }

Tensor dense_network(const Tensor& x, const std::vector<Tensor>& weights, const std::vector<Tensor>& biases,
                     std::string_view activation_name) {
  return layers_after_first(matmul(x, weights[0]) + biases[0], weights, biases, activation_name);
}

Tensor dense_network(const Tensor& x, const Tensor& shared, const std::vector<Tensor>& weights,
                     const std::vector<Tensor>& biases, std::string_view activation_name) {
  const std::int64_t own = x.dim(-1), all = weights[0].dim(0);
  const Tensor bias = biases[0] + matmul(shared, rows(weights[0], own, all));
  return layers_after_first(matmul(x, rows(weights[0], 0, own)) + bias, weights, biases, activation_name);
}

DenseLayers layers_of(const Tree& weights) {
  DenseLayers layers;
  for (int i = 0; weights.contains(fmt::format("w{}", i)); ++i) {
    layers.weights.push_back(weights[fmt::format("w{}", i)]);
    layers.biases.push_back(weights[fmt::format("b{}", i)]);
  }
  return layers;
}

Tensor dense_network(const Tensor& x, const Tree& weights, std::string_view activation_name) {
  const DenseLayers layers = layers_of(weights);
  return dense_network(x, layers.weights, layers.biases, activation_name);
}

Tree dense_weights(const Key& key, const std::vector<std::int64_t>& widths, LastLayer last) {
  const std::vector<Key> keys = split(key, static_cast<int>(widths.size()));
  Tree weights;
  for (std::size_t i = 0; i + 1 < widths.size(); ++i) {
    const bool is_zero = last == LastLayer::zero && i + 2 == widths.size();
    const double scale = std::sqrt((i == 0 ? 1.0 : 2.0) / static_cast<double>(widths[i]));
    weights.set(fmt::format("w{}", i),
                is_zero ? zeros({widths[i], widths[i + 1]}) : normal(keys[i], {widths[i], widths[i + 1]}) * scale);
    weights.set(fmt::format("b{}", i), zeros({widths[i + 1]}));
  }
  return weights;
}

Tensor gru(const Tensor& x, const Tensor& hidden, const Tensor& w, const Tensor& b) {
  const std::int64_t inputs = x.dim(-1), h = hidden.dim(-1), all = inputs + h;
  const Tensor from_input = matmul(x, rows(w, 0, inputs)) + b, recurrent = rows(w, inputs, all);
  const Tensor gates = sigmoid(columns(from_input, 0, 2 * h) + matmul(hidden, columns(recurrent, 0, 2 * h)));
  const Tensor update = columns(gates, 0, h), reset = columns(gates, h, 2 * h);
  const Tensor candidate =
      tanh(columns(from_input, 2 * h, 3 * h) + matmul(reset * hidden, columns(recurrent, 2 * h, 3 * h)));
  return (1 - update) * hidden + update * candidate;
}

RecurrentState lstm(const Tensor& x, const RecurrentState& state, const Tensor& w, const Tensor& b) {
  const std::int64_t inputs = x.dim(-1), h = state.hidden.dim(-1), all = inputs + h;
  const Tensor gates = matmul(x, rows(w, 0, inputs)) + matmul(state.hidden, rows(w, inputs, all)) + b;
  const auto gate = [&](std::int64_t index) { return columns(gates, index * h, (index + 1) * h); };
  const Tensor cell = sigmoid(gate(2) + 1) * state.cell + sigmoid(gate(0)) * tanh(gate(1));
  return {sigmoid(gate(3)) * tanh(cell), cell};
}

Tensor fan_in_weights(const Key& key, std::int64_t in, std::int64_t out) {
  // By the inverse of the distribution, between its values at −2 and 2.
  constexpr double edge = 0.9544997361036416;  // erf(√2)
  const Tensor u = uniform(key, {in, out}, -edge, edge);
  return erf_inv(u) * (std::sqrt(2.0) / std::sqrt(static_cast<double>(in)));
}

}  // namespace lopt
