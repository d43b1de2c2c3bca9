#pragma once
// Networks as functions of tensors: a rule's or a task's author keeps the weights, these compute with them. All work on
// the last dimension, with any dimensions before it.

#include <lopt/random.h>
#include <lopt/tree.h>

namespace lopt {

/// relu, tanh, sigmoid, silu, softplus, gelu, exact_gelu, leaky_relu, identity.
const std::vector<std::string>& activation_names();
/// An activation by its name. Throws std::invalid_argument for others.
Tensor activation(std::string_view name, const Tensor& x);

/// x · sigmoid(x).
Tensor silu(const Tensor& x);
/// log(1 + eˣ).
Tensor softplus(const Tensor& x);
/// x · Φ(x), Φ that of the normal distribution (Hendrycks and Gimpel, 2016), by tanh as JAX computes it; exact by erf.
Tensor gelu(const Tensor& x);
Tensor exact_gelu(const Tensor& x);
/// x above 0, slope · x below.
Tensor leaky_relu(const Tensor& x, double slope = 0.01);

/// How a window's edges meet those of an image.
enum class Padded {
  same,   // as many positions as the image has rows and columns, over the stride; half of what is missing on each side
  valid,  // windows lie inside
  by,     // by `before` and `after`
};
/// How windows slide over images: rows first, then columns.
struct Window {
  std::vector<std::int64_t> stride{1, 1}, dilation{1, 1};
  Padded padding = Padded::same;
  std::vector<std::int64_t> before{0, 0}, after{0, 0};
};
/// Images [n, height, width, channels] and weights [height, width, channels / groups, outputs] → [n, rows, columns,
/// outputs]. Throws ShapeError where no position is left.
Tensor convolution(const Tensor& x, const Tensor& w, const Window& window = {}, std::int64_t groups = 1);
/// The largest in each window of height × width; elements that share it share the gradient. Stride 1 unless the window
/// says otherwise.
Tensor max_pool(const Tensor& x, std::int64_t height, std::int64_t width, const Window& window);
/// The mean of what lies inside each window.
Tensor mean_pool(const Tensor& x, std::int64_t height, std::int64_t width, const Window& window);

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
