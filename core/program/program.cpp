#include "program/program.h"

#include <fmt/format.h>

#include <unordered_map>

namespace lopt {
namespace {

std::string_view name_of(const Operation& operation) { return operation.primitive->name; }

std::size_t hash_of(const Operation& operation) {
  std::size_t hash = std::hash<const void*>{}(operation.primitive);
  auto mix = [&](std::size_t value) {
    hash = (hash ^ value) * 0x9E3779B97F4A7C15ULL;
    hash ^= hash >> 29U;
  };
  for (ValueId input : operation.inputs) mix(input);
  for (std::int64_t length : operation.type.shape) mix(static_cast<std::size_t>(length));
  mix(static_cast<std::size_t>(operation.type.dtype));
  if (const auto* constant = std::get_if<Constant>(&operation.attributes))
    if (constant->value.size() > 0) mix(*static_cast<const std::uint32_t*>(constant->value.data()));
  return hash;
}

/// Builds a program node by node.
class Builder {
 public:
  explicit Builder(Program& program) : program_(program) {}

  ValueId add_input(const Tensor& tensor) {
    program_.operations.push_back({tensor.node()->primitive, {}, tensor.node()->attributes, tensor.type()});
    return value_of_[tensor.node().get()] = last();
  }

  /// Adds what `tensor` needs, depth first without recursion. Throws ShapeError where a node depends on itself: nodes
  /// cannot be made so, but plugins that break memory can.
  ValueId add(const Tensor& tensor) {
    std::vector<std::pair<const Node*, std::size_t>> path{{tensor.node().get(), 0}};
    while (!path.empty()) {
      auto& [node, next] = path.back();
      const auto found = next == 0 ? value_of_.try_emplace(node, on_the_path).first : value_of_.end();
      if (found != value_of_.end() && found->second != on_the_path) {
        path.pop_back();
      } else if (next < node->inputs.size()) {
        const Node* input = node->inputs[next++].node().get();
        if (const auto known = value_of_.find(input); known == value_of_.end())
          path.emplace_back(input, 0);
        else if (known->second == on_the_path)
          throw ShapeError(fmt::format("the program is broken: a {} depends on itself", input->primitive->name));
      } else {
        value_of_[node] = add_node(*node);
        path.pop_back();
      }
    }
    return value_of_[tensor.node().get()];
  }

 private:
  static constexpr ValueId on_the_path = ~ValueId{0};

  ValueId last() const { return static_cast<ValueId>(program_.operations.size() - 1); }

  ValueId add_node(const Node& node) {
    if (node.primitive == &input_primitive)
      throw ShapeError(fmt::format("the program depends on {}, which is none of its inputs", to_text(node.attributes)));
    Operation operation{node.primitive, {}, node.attributes, node.type};
    for (const Tensor& input : node.inputs) operation.inputs.push_back(value_of_.at(input.node().get()));
    if (auto* constant = std::get_if<Constant>(&operation.attributes)) constant->weak = false;
    return simplified(std::move(operation));
  }

  const Operation& producer(ValueId value) const { return program_.operations[value]; }

  /// The number that all elements of a value equal, where it is a constant of float32.
  bool is_number(ValueId value, float number) const {
    const Operation* operation = &producer(value);
    while (name_of(*operation) == "broadcast" || name_of(*operation) == "reshape")
      operation = &producer(operation->inputs[0]);
    const auto* constant = std::get_if<Constant>(&operation->attributes);
    return constant && constant->value.size() == 1 && constant->value.dtype() == DType::float32 &&
           constant->value.item<float>() == number;
  }

  /// Rules that keep every bit, NaN and infinity included.
  ValueId simplified(Operation operation) {
    const std::string_view name = name_of(operation);
    const auto& in = operation.inputs;
    if (operation.primitive == &stop_gradient_primitive) return in[0];
    if (name == "reshape" || name == "broadcast") {
      while (name_of(producer(operation.inputs[0])) == name)
        operation.inputs[0] = producer(operation.inputs[0]).inputs[0];
      if (producer(operation.inputs[0]).type == operation.type) return operation.inputs[0];
    }
    if (name == "multiply" && is_number(in[1], 1)) return in[0];
    if (name == "multiply" && is_number(in[0], 1)) return in[1];
    if (name == "divide" && is_number(in[1], 1)) return in[0];
    if (name == "negate" && name_of(producer(in[0])) == "negate") return producer(in[0]).inputs[0];
    return unique(std::move(operation));
  }

  /// The value of an operation, which is added unless the same is there already.
  ValueId unique(Operation operation) {
    const std::size_t hash = hash_of(operation);
    auto [begin, end] = known_.equal_range(hash);
    for (auto it = begin; it != end; ++it) {
      const Operation& other = producer(it->second);
      if (other.primitive == operation.primitive && other.inputs == operation.inputs && other.type == operation.type &&
          other.attributes == operation.attributes)
        return it->second;
    }
    program_.operations.push_back(std::move(operation));
    known_.emplace(hash, last());
    return last();
  }

  Program& program_;
  std::unordered_map<const Node*, ValueId> value_of_;
  std::unordered_multimap<std::size_t, ValueId> known_;
};

/// Removes what no output needs (inputs stay).
void remove_dead(Program& program) {
  std::vector<bool> live(program.operations.size(), false);
  for (ValueId value : program.inputs) live[value] = true;
  for (ValueId value : program.outputs) live[value] = true;
  for (std::size_t i = live.size(); i-- > 0;)
    if (live[i])
      for (ValueId input : program.operations[i].inputs) live[input] = true;
  std::vector<ValueId> renamed(live.size());
  std::vector<Operation> kept;
  for (std::size_t i = 0; i < live.size(); ++i) {
    if (!live[i]) continue;
    renamed[i] = static_cast<ValueId>(kept.size());
    kept.push_back(std::move(program.operations[i]));
    for (ValueId& input : kept.back().inputs) input = renamed[input];
  }
  program.operations = std::move(kept);
  for (ValueId& value : program.inputs) value = renamed[value];
  for (ValueId& value : program.outputs) value = renamed[value];
}

}  // namespace

Program make_program(std::string name, const std::vector<Tensor>& inputs, const std::vector<Tensor>& outputs) {
  Program program;
  program.name = std::move(name);
  Builder builder(program);
  for (const Tensor& input : inputs) program.inputs.push_back(builder.add_input(input));
  for (const Tensor& output : outputs) program.outputs.push_back(builder.add(output));
  remove_dead(program);
  return program;
}

std::string to_text(const Program& program) {
  std::string text = fmt::format("{}:\n", program.name);
  for (std::size_t i = 0; i < program.operations.size(); ++i) {
    const Operation& operation = program.operations[i];
    text += fmt::format("  %{} = {}", i, operation.primitive->name);
    for (ValueId input : operation.inputs) text += fmt::format(" %{}", input);
    const std::string attributes = to_text(operation.attributes);
    text += fmt::format("{}{} : {}\n", attributes.empty() ? "" : " ", attributes, to_text(operation.type));
  }
  text += "  return";
  for (ValueId output : program.outputs) text += fmt::format(" %{}", output);
  return text + "\n";
}

}  // namespace lopt
