#pragma once
// Loops over time, traced once: a program does not grow with the sequence.

#include <lopt/tensor.h>

#include <functional>

namespace lopt {

/// What a step of a loop gives: what the next one starts from, and what is kept of it.
struct ScanStep {
  std::vector<Tensor> carry, outputs;
};
/// One step: `x` are the elements of each sequence at this time.
using ScanFunction = std::function<ScanStep(const std::vector<Tensor>& carry, const std::vector<Tensor>& x)>;

struct ScanOptions {
  bool reverse = false;    // from the last element to the first
  bool recompute = false;  // a gradient keeps the state before each √length-th step alone, and computes the rest again
  std::int64_t length = 0;  // steps, where there are no sequences
};
struct ScanResult {
  std::vector<Tensor> carry;    // after the last step
  std::vector<Tensor> outputs;  // [length, …]: outputs of each step, in the order of the sequences
};

/// carry, outputs[t] = step(carry, sequences[t]) for t = 0 … length − 1, as jax.lax.scan. `step` is called once; what
/// it uses of the tensors around it is found by itself. Carries and outputs are float32, sequences [length, …] of any
/// type; a step gives carries of the types that it got. Throws ShapeError where these do not go together.
ScanResult scan(const ScanFunction& step, const std::vector<Tensor>& carry, const std::vector<Tensor>& sequences,
                const ScanOptions& options = {});

/// What a branch makes of the operands.
using Branch = std::function<std::vector<Tensor>(const std::vector<Tensor>& operands)>;

/// The results of one of two branches, as jax.lax.cond; the other does not run, neither in the loss nor in its
/// gradient. What a branch computes of its operands is its own; what it computes of tensors around it alone is computed
/// in any case. A branch that gives operands as they are costs nothing. A branch is called more than once. Throws
/// ShapeError where the condition is no bool scalar, or the results differ in types.
std::vector<Tensor> cond(const Tensor& condition, const Branch& if_true, const Branch& if_false,
                         const std::vector<Tensor>& operands);

}  // namespace lopt
