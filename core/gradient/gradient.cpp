#include "gradient/gradient.h"

#include "gradient/cotangents.h"
#include "trace/node.h"
#include "trace/origin.h"

#include <fmt/format.h>

#include <unordered_map>
#include <unordered_set>

namespace lopt {
std::vector<Tensor> vector_jacobian(const std::vector<Tensor>& outputs, const std::vector<Tensor>& cotangents,
                                    const std::vector<Tensor>& with_respect_to) {
  const std::vector<Tensor> order = nodes_in_order(outputs);
  std::unordered_set<const Node*> wanted, depends;
  for (const Tensor& x : with_respect_to) wanted.insert(x.node().get());
  for (const Tensor& tensor : order) {
    bool reached = wanted.contains(tensor.node().get());
    for (const Tensor& input : tensor.node()->inputs) reached = reached || depends.contains(input.node().get());
    if (reached) depends.insert(tensor.node().get());
  }

  std::unordered_map<const Node*, std::vector<Tensor>> cotangents_of;
  auto accumulate = [&](const Tensor& value, const Tensor& cotangent) {
    if (cotangent) cotangents_of[value.node().get()].push_back(cotangent);
  };
  // Once all have come.
  auto gradient_of = [&](const Node* node) {
    const auto found = cotangents_of.find(node);
    if (found == cotangents_of.end()) return Tensor();
    if (found->second.size() > 1) found->second = {sum_of_cotangents(std::move(found->second))};
    return found->second[0];
  };
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (cotangents[i] && cotangents[i].type() != outputs[i].type())
      throw ShapeError(fmt::format("a cotangent of {} for a value of {}", to_text(cotangents[i].type()),
                                   to_text(outputs[i].type())));
    accumulate(outputs[i], cotangents[i]);
  }
  for (std::size_t at = order.size(); at-- > 0;) {
    const Tensor& y = order[at];
    const Node& node = *y.node();
    if (!node.primitive->vjp || !depends.contains(&node)) continue;
    const Tensor dy = gradient_of(&node);
    if (!dy) continue;
    const DerivativeNote note(y);
    std::vector<bool> wanted_inputs;
    for (const Tensor& input : node.inputs) wanted_inputs.push_back(depends.contains(input.node().get()));
    std::vector<Tensor> dx = node.primitive->vjp({dy, y, node.inputs, node.attributes, wanted_inputs});
    for (std::size_t i = 0; i < dx.size(); ++i)
      if (wanted_inputs[i]) accumulate(node.inputs[i], dx[i]);
  }

  std::vector<Tensor> result;
  for (const Tensor& x : with_respect_to) {
    result.push_back(gradient_of(x.node().get()));
  }
  return result;
}

std::vector<Tensor> gradient(const Tensor& loss, const std::vector<Tensor>& with_respect_to) {
  if (loss.dtype() != DType::float32 || loss.rank() != 0)
    throw ShapeError(fmt::format("gradient: the loss is {}, not a float32 scalar", to_text(loss.type())));
  std::vector<Tensor> result = vector_jacobian({loss}, {Tensor(1.0)}, with_respect_to);
  for (std::size_t i = 0; i < result.size(); ++i)
    if (!result[i]) result[i] = zeros_like(with_respect_to[i]);
  return result;
}

}  // namespace lopt
