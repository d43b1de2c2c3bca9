#include "execute/non_finite.h"

#include "execute/reference.h"
#include "program/program.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <unordered_map>

namespace lopt {
namespace {

std::int64_t count_non_finite(const Array& array, std::int64_t& first) {
  if (array.dtype() != DType::float32) return 0;
  std::int64_t count = 0;
  const auto elements = array.values<float>();
  for (std::size_t i = 0; i < elements.size(); ++i)
    if (!std::isfinite(elements[i]) && count++ == 0) first = static_cast<std::int64_t>(i);
  return count;
}

class Evaluation {
 public:
  Evaluation(std::span<const Tensor> outputs, std::span<const Tensor> inputs, std::span<const void* const> elements) {
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      Array value(inputs[i].type());
      std::memcpy(value.mutable_data(), elements[i], value.size() * 4);
      keep(inputs[i], value);
    }
    const std::vector<Tensor> order = nodes_in_order(outputs);
    for (const Tensor& node : order)
      for (const Tensor& input : node.node()->inputs) ++uses_[input.node().get()];
    for (const Tensor& output : outputs) ++uses_[output.node().get()];
    for (const Tensor& node : order) evaluate(node);
  }

  bool is_finite(const Tensor& value) const { return !sources_.contains(value.node().get()); }
  const NonFiniteSource& source(const Tensor& value) const { return sources_.at(value.node().get()); }

 private:
  void keep(const Tensor& tensor, Array value) {
    NonFiniteSource found{tensor, 0, 0, 0, "", {}};
    found.count = count_non_finite(value, found.first);
    if (found.count > 0) {
      found.element = value.values<float>()[static_cast<std::size_t>(found.first)];
      if (tensor.node()->primitive->fusion == Fusion::elementwise)
        for (const Tensor& input : tensor.node()->inputs)
          if (const Array& operand = values_.at(input.node().get()); operand.dtype() == DType::float32)
            found.operands.push_back(operand.values<float>()[static_cast<std::size_t>(found.first)]);
      sources_.emplace(tensor.node().get(), std::move(found));
    }
    values_.insert_or_assign(tensor.node().get(), std::move(value));
  }

  void evaluate(const Tensor& tensor) {
    const Node& node = *tensor.node();
    if (node.primitive == &input_primitive) return;
    if (const auto* constant = std::get_if<Constant>(&node.attributes)) {
      values_.insert_or_assign(&node, constant->value);  // an infinite constant is meant
      return;
    }
    std::vector<Type> types;
    std::vector<const void*> pointers;
    Operation operation{node.primitive, {}, node.attributes, node.type};
    for (const Tensor& input : node.inputs) {
      types.push_back(input.type());
      pointers.push_back(values_.at(input.node().get()).data());
    }
    Array result(node.type);
    evaluate_operation(operation, types, pointers, result.mutable_data());
    keep(tensor, std::move(result));
    for (const Tensor& input : node.inputs)
      if (--uses_[input.node().get()] == 0) values_.erase(input.node().get());
  }

  std::unordered_map<const Node*, Array> values_;
  std::unordered_map<const Node*, std::size_t> uses_;
  std::unordered_map<const Node*, NonFiniteSource> sources_;
};

}  // namespace

bool all_finite(const Array& array) {
  std::int64_t first = 0;
  return count_non_finite(array, first) == 0;
}

std::optional<NonFiniteSource> find_non_finite(std::span<const Tensor> outputs, std::span<const Tensor> inputs,
                                               std::span<const void* const> elements) {
  const Evaluation evaluation(outputs, inputs, elements);
  for (const Tensor& output : outputs) {
    if (evaluation.is_finite(output)) continue;
    Tensor at = output;
    for (bool moved = true; moved;) {
      moved = false;
      for (const Tensor& input : at.node()->inputs)
        if (!evaluation.is_finite(input) && input.node()->primitive != &input_primitive) {
          at = input;
          moved = true;
          break;
        }
    }
    if (at.node()->primitive == &input_primitive) continue;
    NonFiniteSource source = evaluation.source(at);
    for (const Tensor& input : at.node()->inputs)
      if (!evaluation.is_finite(input)) source.input = std::get<InputName>(input.node()->attributes).name;
    return source;
  }
  return std::nullopt;
}

}  // namespace lopt
