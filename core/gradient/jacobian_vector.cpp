#include "gradient/gradient.h"

#include "trace/node.h"
#include "trace/origin.h"

#include <fmt/format.h>

#include <unordered_map>

namespace lopt {

std::vector<Tensor> jacobian_vector(const std::vector<Tensor>& outputs, const std::vector<Tensor>& with_respect_to,
                                    const std::vector<Tensor>& tangents) {
  std::unordered_map<const Node*, Tensor> tangent_of;
  for (std::size_t i = 0; i < with_respect_to.size(); ++i) {
    if (!tangents[i]) continue;
    if (tangents[i].type() != with_respect_to[i].type())
      throw ShapeError(fmt::format("a tangent of {} for a value of {}", to_text(tangents[i].type()),
                                   to_text(with_respect_to[i].type())));
    tangent_of.emplace(with_respect_to[i].node().get(), tangents[i]);
  }
  const auto found = [&](const Tensor& x) {
    const auto known = tangent_of.find(x.node().get());
    return known == tangent_of.end() ? Tensor() : known->second;
  };
  for (const Tensor& y : nodes_in_order(outputs)) {
    const Node& node = *y.node();
    if (!node.primitive->jvp || node.type.dtype != DType::float32 || tangent_of.contains(&node)) continue;
    std::vector<Tensor> dx;
    bool any = false;
    for (const Tensor& input : node.inputs) any = static_cast<bool>(dx.emplace_back(found(input))) || any;
    if (!any) continue;
    const DerivativeNote note(y);
    if (Tensor dy = node.primitive->jvp({dx, y, node.inputs, node.attributes}))
      tangent_of.emplace(&node, std::move(dy));
  }
  std::vector<Tensor> result;
  for (const Tensor& output : outputs) result.push_back(found(output));
  return result;
}

}  // namespace lopt
