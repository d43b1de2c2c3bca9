#pragma once
// What learned optimizers look at: features of a parameter tensor, and the accumulators behind them. Functions of
// tensors of any rank; a scalar counts as a tensor of one element. docs/plugins.md has a rule of thirty lines that uses
// them.

#include <lopt/networks.h>
#include <lopt/optimizer.h>
#include <lopt/settings.h>
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
/// Adafactor (Shazeer and Stern, 2018) is a mean, over the second-largest, `column`, the column accumulator. Of equal
/// ones the later counts as larger.
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

struct Accumulator;  // what is kept from step to step; defined by the core

/// What a learned optimizer looks at, by name: "momentum 0.99", "normalized gradient", "step". `lopt-run describe
/// features` lists them. A feature may have decays behind its name; its accumulators are kept where they are needed,
/// once.
class Features {
 public:
  /// Declares the setting `features`, a list of names. "momentum" without a decay has `momentum_decay`.
  Features(Settings& settings, std::vector<std::string> by_default, double momentum_decay = 0.9);
  /// Throws std::invalid_argument with a sentence where a name is no feature.
  explicit Features(const std::vector<std::string>& names, double momentum_decay = 0.9);
  Features(const Features&);
  Features(Features&&) noexcept;
  ~Features();

  /// How many numbers `of` gives for a parameter: those of its own, then those that its whole tensor shares.
  std::int64_t own_count() const;
  std::int64_t shared_count() const;
  std::int64_t count() const { return own_count() + shared_count(); }

  /// The accumulators at the start, and after a gradient: entries of an optimizer's state.
  Tree start(const Tree& params) const;
  Tree next(const Tree& accumulators, const Tree& grads, const UpdateContext& context) const;

  /// Of one tensor.
  struct OfTensor {
    std::vector<Tensor> own;  // own_count(), each of the tensor's shape
    Tensor shared;            // [shared_count()]; without any, an empty handle
  };
  /// Of each tensor, in the order of the leaves; `accumulators` are those after the gradient.
  std::vector<OfTensor> of(const Tree& params, const Tree& grads, const Tree& accumulators,
                           const UpdateContext& context) const;

 private:
  struct Request;
  std::vector<Accumulator> accumulators() const;
  std::vector<Request> requests_;
};
/// Dense networks (lopt/networks.h) on what `of` gives: [..., outputs].
Tensor dense_network(const Features::OfTensor& features, const std::vector<Tensor>& weights,
                     const std::vector<Tensor>& biases, std::string_view activation_name = "relu");
Tensor dense_network(const Features::OfTensor& features, const Tree& theta, std::string_view activation_name = "relu");

/// A line about each feature: its name with its numbers, what it is.
struct FeatureInfo {
  std::string usage, meaning;
};
std::vector<FeatureInfo> feature_list();

}  // namespace lopt
