#pragma once
// Networks as functions of tensors: a rule's or a task's author keeps the weights, these compute with them. All work on
// the last dimension, with any dimensions before it.

#include <lopt/random.h>
#include <lopt/tree.h>

namespace lopt {

/// relu, tanh, sigmoid, silu, softplus, identity.
const std::vector<std::string>& activation_names();
/// An activation by its name. Throws std::invalid_argument for others.
Tensor activation(std::string_view name, const Tensor& x);

/// x · sigmoid(x).
Tensor silu(const Tensor& x);
/// log(1 + eˣ).
Tensor softplus(const Tensor& x);

/// Dense layers with an activation between them: weights [in, out], biases [out].
Tensor dense_network(const Tensor& x, const std::vector<Tensor>& weights, const std::vector<Tensor>& biases,
                     std::string_view activation_name = "relu");
/// The same on features that are the same for all elements beside others: `x` [..., n] meets the first n rows of the
/// first weights, `shared` [k] the rest, once for all elements.
Tensor dense_network(const Tensor& x, const Tensor& shared, const std::vector<Tensor>& weights,
                     const std::vector<Tensor>& biases, std::string_view activation_name = "relu");

/// The same with the weights w0, b0, w1, b1, … of dense_weights().
Tensor dense_network(const Tensor& x, const Tree& weights, std::string_view activation_name = "relu");

/// These weights as lists.
struct DenseLayers {
  std::vector<Tensor> weights, biases;
};
DenseLayers layers_of(const Tree& weights);

/// Where the last layer of a network starts.
enum class LastLayer { random, zero };
/// Weights of a dense network, as {w0, b0, w1, b1, …}: from widths[0] inputs to the last width. Normal, of variance
/// 1/in in the first layer and 2/in in later ones (He et al., 2015); biases 0.
Tree dense_weights(const Key& key, const std::vector<std::int64_t>& widths, LastLayer last = LastLayer::random);

/// The state of a recurrent cell; a GRU has no `cell`.
struct RecurrentState {
  Tensor hidden, cell;
};
/// Gated recurrent unit (Cho et al., 2014), `w` [n + h, 3h] and `b` [3h] for update z, reset r and candidate a:
///   z, r = sigmoid([x, h]·w + b), a = tanh([x, r·h]·w + b), h ← (1 − z)·h + z·a.
Tensor gru(const Tensor& x, const Tensor& hidden, const Tensor& w, const Tensor& b);
/// Long short-term memory (Hochreiter and Schmidhuber, 1997), `w` [n + h, 4h] and `b` [4h] for the gates i, g, f, o, in
/// this order; f is biased by 1:
///   c ← sigmoid(f + 1)·c + sigmoid(i)·tanh(g), h ← sigmoid(o)·tanh(c).
RecurrentState lstm(const Tensor& x, const RecurrentState& state, const Tensor& w, const Tensor& b);

/// Weights ~ N(0, 1/fan-in), truncated at two standard deviations: [in, out].
Tensor fan_in_weights(const Key& key, std::int64_t in, std::int64_t out);

}  // namespace lopt
