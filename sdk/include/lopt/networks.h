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

/// Rows of a table [count, width] by int32 numbers of any shape.
Tensor embedding(const Tensor& table, const Tensor& numbers);
/// x with mean 0 and variance 1 over the last dimension, times `scale` [n], plus `offset` [n] (Ba et al., 2016).
Tensor layer_norm(const Tensor& x, const Tensor& scale, const Tensor& offset, double epsilon = 1e-5);
/// Mean and variance over all dimensions but the last (Ioffe and Szegedy, 2015): those of a batch while training,
/// running means of them afterwards.
struct BatchStatistics {
  Tensor mean, variance;
};
BatchStatistics batch_statistics(const Tensor& x);
/// decay · running + (1 − decay) · of the batch.
BatchStatistics running_statistics(const BatchStatistics& running, const BatchStatistics& batch, double decay = 0.9);
Tensor batch_norm(const Tensor& x, const BatchStatistics& statistics, const Tensor& scale, const Tensor& offset,
                  double epsilon = 1e-5);
/// Softmax attention of queries [..., t, d] to keys [..., s, d] and values [..., s, e] (Vaswani et al., 2017);
/// `causal`: query i sees the keys up to i.
Tensor attention(const Tensor& queries, const Tensor& keys, const Tensor& values, bool causal = false);
/// The same in `heads` parts of the last dimension of tensors [..., t, width].
Tensor multi_head_attention(const Tensor& queries, const Tensor& keys, const Tensor& values, std::int64_t heads,
                            bool causal = false);
/// Zero with probability `rate`, else over 1 − rate (Srivastava et al., 2014).
Tensor dropout(const Key& key, const Tensor& x, double rate);
/// Mean over all rows of −log softmax(logits [..., classes]) at the int32 label [...].
Tensor cross_entropy(const Tensor& logits, const Tensor& labels);
/// The share of rows whose own class has the largest logit.
Tensor accuracy(const Tensor& logits, const Tensor& labels);

/// normal, truncated_normal, fan_in, glorot, he, orthogonal, zeros.
const std::vector<std::string>& initializer_names();
/// Initial weights [..., in, out], where dimensions before are those of a window, times `scale`:
///   normal            N(0, 1)
///   truncated_normal  N(0, 1), cut at ±2
///   fan_in            N(0, 1/in)
///   glorot            uniform in ±√(6/(in + out)) (Glorot and Bengio, 2010)
///   he                N(0, 2/in) (He et al., 2015)
///   orthogonal        columns or rows of length 1 that are orthogonal (Saxe et al., 2014)
/// Throws std::invalid_argument for another name.
Tensor initial_weights(std::string_view name, const Key& key, const Shape& shape, double scale = 1);

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
