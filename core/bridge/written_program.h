#pragma once
// A traced program in a message, and as nodes again.

#include "bridge/message.h"
#include "trace/node.h"

namespace lopt {

/// Adds to the message: "inputs", how many there are; "nodes", [primitive, numbers of its inputs, attributes]. Inputs
/// have the numbers from 0, nodes those behind them. Returns the numbers of the outputs. Throws ShapeError where the
/// outputs depend on something else than the inputs, or on host code.
std::vector<std::size_t> write_nodes(TracerMessage& message, const std::vector<Tensor>& inputs,
                                     const std::vector<Tensor>& outputs);

/// Makes a step that is evaluated outside of lopt from what a program says of it.
using MakeHost = std::function<std::shared_ptr<const HostPrimitive>(const Json&)>;
/// All values of it, by their numbers, with other inputs. Throws BridgeError, ShapeError.
std::vector<Tensor> read_nodes(const TracerMessage& message, std::vector<Tensor> inputs,
                               const MakeHost& make_host = nullptr);

}  // namespace lopt
