#pragma once
// How the body of a scan is made from what a step traced.

#include "trace/scan_body.h"

#include <unordered_map>

namespace lopt {

/// A body, and the values that its carry, sequences and constants stand for.
struct BoundBody {
  ScanBody body;
  std::vector<Tensor> carry, sequences, constants;
  Tensor count = {};           // where the body is counted
  bool keeps_products = true;  // stacks those that a derivative would need again
};

/// Puts other tensors in the place of some nodes, in all that the body's outputs are made of. Inputs of the body that
/// stay are among them.
void substitute_outputs(ScanBody& body, std::unordered_map<const Node*, Tensor> with);

/// Makes the body a program of its own: what it uses from outside comes in as constants, what does not change from step
/// to step is computed outside, inputs that no output needs go, and products that a gradient would need again are
/// stacked.
void close_body(BoundBody& scan);

}  // namespace lopt
