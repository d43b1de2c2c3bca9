#pragma once
// Reverse-mode differentiation of traced values. The result is traced too, so it can be differentiated again.

#include <lopt/tensor.h>

namespace lopt {

/// Σ over outputs of (d output / d x)ᵀ cotangent, for each x. An empty cotangent counts as zero; so does an empty
/// tensor in the result: nothing flows from the outputs to that x.
std::vector<Tensor> vector_jacobian(const std::vector<Tensor>& outputs, const std::vector<Tensor>& cotangents,
                                    const std::vector<Tensor>& with_respect_to);

struct Primitive;  // trace/node.h
/// The row of scans, for programs that were written down.
const Primitive& scan_primitive();

}  // namespace lopt
