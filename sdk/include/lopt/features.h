#pragma once
// What learned optimizers look at: features of a parameter tensor, and the accumulators behind them. Functions of tensors
// of any rank; a scalar counts as a tensor of one element. docs/plugins.md has a rule of thirty lines that uses them.

#include <lopt/tree.h>

namespace lopt {

/// decay · mean + (1 − decay) · x.
Tree moving_mean(const Tree& mean, const Tree& x, const Tensor& decay);
Tensor moving_mean(const Tensor& mean, const Tensor& x, const Tensor& decay);

/// x · (ε + mean of x²)^(−1/2), the mean over `axes` (all, without any): "second-moment normalisation".
Tensor normalized_by_moment(const Tensor& x, double epsilon, const std::vector<int>& axes = {});

/// tanh(t / s − 1) for s = 1, 3, 10, … 100,000: float32 [11] from an int32 iteration t (Metz et al., 2020).
Tensor step_embedding(const Tensor& iteration);

/// The two largest dimensions of a tensor of two dimensions or more: over the largest, `row`, the row accumulator of
/// Adafactor (Shazeer and Stern, 2018) is a mean, over the second-largest, `column`, the column accumulator. Of equal ones
/// the later counts as larger.
struct FactoredAxes {
  int row, column;
};
FactoredAxes factored_axes(const Shape& shape);

/// Adafactor's second moment of one tensor. Of tensors of fewer than two dimensions `row` is the second moment itself,
/// and `column` a scalar that is not used.
struct FactoredMoment {
  Tensor row, column;
  /// Zeros for a parameter tensor.
  static FactoredMoment start(const Tensor& parameter);
  /// The moment after a gradient.
  FactoredMoment updated(const Tensor& gradient, const Tensor& decay) const;
  /// What a gradient is multiplied with: about one over the root of its second moment. Broadcasts to the shape.
  Tensor inverse_root(const Shape& shape) const;
  /// The accumulators, broadcast to the shape; for fewer than two dimensions both are the second moment.
  Tensor row_of(const Shape& shape) const;
  Tensor column_of(const Shape& shape) const;
};

/// Dense layers on the last dimension with relu between them: weights [in, out], biases [out].
Tensor relu_network(const Tensor& x, const std::vector<Tensor>& weights, const std::vector<Tensor>& biases);
/// The same on features that are the same for all elements beside others: `x` [..., n] by the first n rows of the first
/// weights, `shared` [k] by the rest.
Tensor relu_network(const Tensor& x, const Tensor& shared, const std::vector<Tensor>& weights,
                    const std::vector<Tensor>& biases);

}  // namespace lopt
