#pragma once
// Where values that are not finite come from: a traced computation run again, operation by operation.

#include "trace/node.h"

#include <optional>
#include <span>

namespace lopt {

/// The first operation on the way to a result that made values that are not finite from finite ones.
struct NonFiniteSource {
  Tensor value;                 // what it made
  std::int64_t count = 0;       // elements of it that are not finite
  std::int64_t first = 0;       // the first of them
  float element = 0;            // NaN or infinite
  std::string input;            // the input of the program that was not finite already, where it is one's fault
  std::vector<float> operands;  // of an elementwise operation: what that element was made from
};

/// Evaluates `outputs` with the reference executor, given the inputs' elements, and follows the first output that is
/// not finite back to where that began: in an operation on finite values, or on inputs that were not. Nothing where all
/// are finite, but for inputs that are outputs too.
std::optional<NonFiniteSource> find_non_finite(std::span<const Tensor> outputs, std::span<const Tensor> inputs,
                                               std::span<const void* const> elements);

/// Whether every element of a float32 array is finite; true for other types.
bool all_finite(const Array& array);

}  // namespace lopt
