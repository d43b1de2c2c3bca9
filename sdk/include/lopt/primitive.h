#pragma once
// Primitives that plugins bring: host code as a step of a traced program, so that a simulator or a library that exists
// already can be part of a task.

#include <lopt/tensor.h>

#include <span>

namespace lopt {

/// A pure function of float32 arrays: the same inputs, the same result. It may be called by several threads at once.
class HostPrimitive {
 public:
  virtual ~HostPrimitive() = default;

  /// How plans and errors call it.
  virtual std::string name() const = 0;
  /// Shape of the result. Throws ShapeError where the inputs' do not fit.
  virtual Shape shape(std::span<const Shape> inputs) const = 0;
  /// Writes all elements of the result; row-major, as the inputs are.
  virtual void evaluate(std::span<const std::span<const float>> inputs, std::span<float> output) const = 0;
  /// The vector-Jacobian product: d loss / dx for each input x, of x's shape, from dy = d loss / dy, where y is the
  /// result; an empty Tensor where none flows. Written in tensors, so it may apply another host primitive, and can be
  /// differentiated again as far as what it uses can be. The default throws ShapeError: there is no derivative.
  virtual std::vector<Tensor> vjp(const std::vector<Tensor>& x, const Tensor& y, const Tensor& dy) const;
};

/// A step of the program that applies a primitive to float32 tensors. Throws ShapeError for others.
Tensor apply(std::shared_ptr<const HostPrimitive> primitive, std::vector<Tensor> inputs);

}  // namespace lopt
