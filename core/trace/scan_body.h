#pragma once
// The body of a scan: a program of its own, as nodes.

#include "trace/node.h"

namespace lopt {

/// Inputs are nodes of input_primitive, which stand for values only here.
struct ScanBody {
  std::vector<Tensor> carry;      // before a step
  std::vector<Tensor> slices;     // element t of each sequence
  std::vector<Tensor> constants;  // the same at all steps
  std::vector<Tensor> next;       // carry after the step
  std::vector<Tensor> stacked;    // kept for each step
  std::vector<Tensor> summed;     // added up over the steps
  /// The last of `stacked`: products that a gradient would else compute again.
  std::size_t products = 0;
  std::int64_t length = 1;
  bool reverse = false;
  /// The loop has one input more, an int32 scalar: steps at this time and later do not run. Where one does not, the
  /// carry stays, and what it would give is 0.
  bool counted = false;

  std::vector<Tensor> inputs() const;
  std::vector<Tensor> outputs() const;
};

/// The result of a scan is one flat float32 array: for each carry its states [length + 1, …] in the order of time, for
/// each stacked value [length, …], and the sums. Each part is a slice of it, which costs nothing.
struct ScanLayout {
  explicit ScanLayout(const ScanBody& body);
  std::vector<std::int64_t> states, stacked, summed;  // first elements
  std::int64_t size = 0;
};

/// The parts of a flat result, or of its cotangent.
struct ScanParts {
  std::vector<Tensor> states, stacked, summed;
};
ScanParts parts_of(const ScanBody& body, const Tensor& flat);

/// "32 steps".
std::string to_text(const ScanBody& body);

}  // namespace lopt
