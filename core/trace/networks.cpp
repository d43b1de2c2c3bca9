#include <lopt/networks.h>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

namespace lopt {
namespace {

struct Activation {
  std::string name;
  Tensor (*function)(const Tensor&);
};
const std::vector<Activation>& activations() {
  static const std::vector<Activation> all{
      {"relu", relu},
      {"tanh", tanh},
      {"sigmoid", sigmoid},
      {"silu", silu},
      {"softplus", softplus},
      {"gelu", gelu},
      {"exact_gelu", exact_gelu},
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
  const std::int64_t h = hidden.dim(-1);
  const auto layer = [&](const Tensor& state, std::int64_t first, std::int64_t last) {
    return matmul(concatenate({x, state}, -1), columns(w, first, last)) + slice(b, {first}, {last}, {1});
  };
  const Tensor gates = sigmoid(layer(hidden, 0, 2 * h));
  const Tensor update = columns(gates, 0, h), reset = columns(gates, h, 2 * h);
  const Tensor candidate = tanh(layer(reset * hidden, 2 * h, 3 * h));
  return (1 - update) * hidden + update * candidate;
}

RecurrentState lstm(const Tensor& x, const RecurrentState& state, const Tensor& w, const Tensor& b) {
  const std::int64_t h = state.hidden.dim(-1);
  const Tensor gates = matmul(concatenate({x, state.hidden}, -1), w) + b;
  const auto gate = [&](std::int64_t index) { return columns(gates, index * h, (index + 1) * h); };
  const Tensor cell = sigmoid(gate(2) + 1) * state.cell + sigmoid(gate(0)) * tanh(gate(1));
  return {sigmoid(gate(3)) * tanh(cell), cell};
}

Tensor embedding(const Tensor& table, const Tensor& numbers) { return gather(table, numbers, 0); }

Tensor layer_norm(const Tensor& x, const Tensor& scale, const Tensor& offset, double epsilon) {
  const Tensor centred = x - expand_dims(mean(x, {-1}), -1);
  return centred * rsqrt(expand_dims(mean(square(centred), {-1}), -1) + epsilon) * scale + offset;
}

BatchStatistics batch_statistics(const Tensor& x) {
  std::vector<int> axes;
  for (int i = 0; i + 1 < x.rank(); ++i) axes.push_back(i);
  return {mean(x, axes), variance(x, axes)};
}
BatchStatistics running_statistics(const BatchStatistics& running, const BatchStatistics& batch, double decay) {
  return {decay * running.mean + (1 - decay) * batch.mean, decay * running.variance + (1 - decay) * batch.variance};
}
Tensor batch_norm(const Tensor& x, const BatchStatistics& statistics, const Tensor& scale, const Tensor& offset,
                  double epsilon) {
  return (x - statistics.mean) * (rsqrt(statistics.variance + epsilon) * scale) + offset;
}

Tensor attention(const Tensor& queries, const Tensor& keys, const Tensor& values, bool causal) {
  std::vector<int> order(static_cast<std::size_t>(keys.rank()));
  std::iota(order.begin(), order.end(), 0);
  std::swap(order[order.size() - 1], order[order.size() - 2]);
  Tensor scores = matmul(queries, transpose(keys, order)) / std::sqrt(static_cast<double>(queries.dim(-1)));
  if (causal) {
    const Tensor seen = expand_dims(arange(scores.dim(-2)), 1) >= arange(scores.dim(-1));
    scores = where(seen, scores, -1e9);
  }
  return matmul(softmax(scores), values);
}

Tensor multi_head_attention(const Tensor& queries, const Tensor& keys, const Tensor& values, std::int64_t heads,
                            bool causal) {
  // [..., t, heads · d] as [..., heads, t, d], and back.
  std::vector<int> order(static_cast<std::size_t>(queries.rank()) + 1);
  std::iota(order.begin(), order.end(), 0);
  std::swap(order[order.size() - 2], order[order.size() - 3]);
  const auto apart = [&](const Tensor& x) {
    if (heads < 1 || x.dim(-1) % heads != 0)
      throw ShapeError(fmt::format("multi_head_attention: a width of {} is not divided by {} heads", x.dim(-1), heads));
    Shape shape = x.shape();
    shape.back() = heads;
    shape.push_back(x.dim(-1) / heads);
    return transpose(reshape(x, shape), order);
  };
  const Tensor together = transpose(attention(apart(queries), apart(keys), apart(values), causal), order);
  Shape shape = queries.shape();
  shape.back() = values.dim(-1);
  return reshape(together, shape);
}

Tensor dropout(const Key& key, const Tensor& x, double rate) {
  if (rate <= 0) return x;
  return where(uniform(key, x.shape()) >= rate, x * (1 / (1 - rate)), 0);
}

Tensor cross_entropy(const Tensor& logits, const Tensor& labels) {
  return mean(-sum(one_hot(labels, logits.dim(-1)) * log_softmax(logits), {-1}));
}

Tensor accuracy(const Tensor& logits, const Tensor& labels) {
  const Tensor own = sum(one_hot(labels, logits.dim(-1)) * logits, {-1});
  return mean(convert(own >= max(logits, {-1}), DType::float32));
}

namespace {

/// N(0, scale²) cut at ±2 scale, by the inverse of the distribution between its values there.
Tensor truncated_normal(const Key& key, const Shape& shape, double scale) {
  constexpr double edge = 0.9544997361036416;  // erf(√2)
  return erf_inv(uniform(key, shape, -edge, edge)) * (std::sqrt(2.0) * scale);
}

/// The orthogonal factor of a normal matrix, by Newton's iteration for its polar decomposition: steps that make small
/// singular values grow first, then ones that bring all to 1.
Tensor orthogonal(const Key& key, std::int64_t rows, std::int64_t columns) {
  const bool wide = columns > rows;
  Tensor x = normal(key, {std::max(rows, columns), std::min(rows, columns)});
  x = x / (norm(x) + 1e-30);
  for (int i = 0; i < 12; ++i) {
    const Tensor gram = matmul(transpose(x), x);
    x = matmul(x, -4.7750 * gram + 2.0315 * matmul(gram, gram)) + 3.4445 * x;
  }
  for (int i = 0; i < 8; ++i) x = 1.5 * x - 0.5 * matmul(x, matmul(transpose(x), x));
  return wide ? transpose(x) : x;
}

struct Initializer {
  std::string name;
  /// Weights of a shape, of which `in` numbers meet in each of `out`.
  Tensor (*function)(const Key& key, const Shape& shape, double in, double out);
};
const std::vector<Initializer>& initializers() {
  static const std::vector<Initializer> all{
      {"normal", [](const Key& key, const Shape& shape, double, double) { return normal(key, shape); }},
      {"truncated_normal",
       [](const Key& key, const Shape& shape, double, double) { return truncated_normal(key, shape, 1); }},
      {"fan_in",
       [](const Key& key, const Shape& shape, double in, double) { return normal(key, shape) * std::sqrt(1 / in); }},
      {"glorot",
       [](const Key& key, const Shape& shape, double in, double out) {
         const double edge = std::sqrt(6 / (in + out));
         return uniform(key, shape, -edge, edge);
       }},
      {"he",
       [](const Key& key, const Shape& shape, double in, double) { return normal(key, shape) * std::sqrt(2 / in); }},
      {"orthogonal",
       [](const Key& key, const Shape& shape, double in, double) {
         const auto rows = static_cast<std::int64_t>(in);
         return reshape(orthogonal(key, rows, element_count(shape) / rows), shape);
       }},
      {"zeros", [](const Key&, const Shape& shape, double, double) { return zeros(shape); }},
  };
  return all;
}

}  // namespace

const std::vector<std::string>& initializer_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> result;
    for (const Initializer& initializer : initializers()) result.push_back(initializer.name);
    return result;
  }();
  return names;
}

Tensor initial_weights(std::string_view name, const Key& key, const Shape& shape, double scale) {
  if (shape.size() < 2) throw ShapeError(fmt::format("initial_weights: {} is not [..., in, out]", to_text(shape)));
  double in = 1;
  for (std::size_t i = 0; i + 1 < shape.size(); ++i) in *= static_cast<double>(shape[i]);
  const double window = in / static_cast<double>(shape[shape.size() - 2]), out = static_cast<double>(shape.back());
  for (const Initializer& initializer : initializers())
    if (initializer.name == name) return initializer.function(key, shape, in, out * window) * scale;
  throw std::invalid_argument(
      fmt::format("there is no initializer '{}'; there are: {}", name, fmt::join(initializer_names(), ", ")));
}

Tensor fan_in_weights(const Key& key, std::int64_t in, std::int64_t out) {
  return truncated_normal(key, {in, out}, 1 / std::sqrt(static_cast<double>(in)));
}

}  // namespace lopt
