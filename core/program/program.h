#pragma once
// A traced computation as a list of operations in single-assignment form: value i is the result of operation i.

#include "trace/node.h"

#include <lopt/tree.h>

#include <string>

namespace lopt {

using ValueId = std::uint32_t;

struct Operation {
  const Primitive* primitive = nullptr;
  std::vector<ValueId> inputs;
  Attributes attributes;
  Type type;
};

struct Program {
  std::string name;
  std::vector<Operation> operations;  // each after its inputs
  std::vector<ValueId> inputs;        // in the order in which values are given; operations of input_primitive
  std::vector<ValueId> outputs;       // in the order in which results are returned; may repeat, may be inputs

  const Type& type(ValueId value) const { return operations[value].type; }
};

/// The operations that the outputs need, each computation once (common subexpressions), with identities removed.
/// An input that is not used stays in `inputs`. Throws ShapeError if an output depends on an input that is not given.
Program make_program(std::string name, const std::vector<Tensor>& inputs, const std::vector<Tensor>& outputs);

/// One line an operation: "%7 = multiply %3 %5 : float32[64, 128]".
std::string to_text(const Program& program);

}  // namespace lopt
