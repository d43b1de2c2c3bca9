#pragma once
// Differentiation of traced values, from their end or from their start. The result is traced too, so it can be
// differentiated again.

#include <lopt/tensor.h>

namespace lopt {

/// Σ over outputs of (d output / d x)ᵀ cotangent, for each x. An empty cotangent counts as zero; so does an empty
/// tensor in the result: nothing flows from the outputs to that x.
std::vector<Tensor> vector_jacobian(const std::vector<Tensor>& outputs, const std::vector<Tensor>& cotangents,
                                    const std::vector<Tensor>& with_respect_to);

/// Σ over x of d output / dx · tangent of x, for each output: forward mode. An empty tangent counts as zero; so does an
/// empty tensor in the result.
std::vector<Tensor> jacobian_vector(const std::vector<Tensor>& outputs, const std::vector<Tensor>& with_respect_to,
                                    const std::vector<Tensor>& tangents);

struct Primitive;  // trace/node.h
/// The row of scans, for programs that were written down.
const Primitive& scan_primitive();

}  // namespace lopt
