#pragma once
// What comes back to a value that several others use.

#include <lopt/tensor.h>

#include <vector>

namespace lopt {

/// The sum of cotangents, at least one, in their order. Those that are parts beside each other with zeros around, as
/// the slices of a value give them back, are joined: nothing is added to the zeros.
Tensor sum_of_cotangents(std::vector<Tensor> cotangents);

}  // namespace lopt
