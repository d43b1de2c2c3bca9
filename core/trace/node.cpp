#include "trace/node.h"

#include "trace/origin.h"
#include "trace/scan_body.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <unordered_set>

namespace lopt {

Node::~Node() {
  std::vector<Tensor> pending = std::move(inputs);
  while (!pending.empty()) {
    std::shared_ptr<const Node> node = pending.back().node();
    pending.pop_back();
    if (!node || node.use_count() > 1) continue;
    auto& orphan = const_cast<Node&>(*node);  // the last owner takes its inputs before it goes
    for (Tensor& input : orphan.inputs) pending.push_back(std::move(input));
    orphan.inputs.clear();
  }
}

Tensor apply(const Primitive& primitive, std::vector<Tensor> inputs, Attributes attributes) {
  std::vector<Type> types;
  for (const Tensor& input : inputs) types.push_back(input.type());
  auto node = std::make_shared<Node>();
  node->primitive = &primitive;
  node->type = primitive.type(types, attributes);
  try {
    element_count(node->type.shape);
  } catch (const std::length_error& error) {
    throw ShapeError(fmt::format("{}: {}", primitive.name, error.what()));
  }
  node->inputs = std::move(inputs);
  node->attributes = std::move(attributes);
  Tensor result(std::shared_ptr<const Node>(std::move(node)));
  if (OriginNotes* notes = OriginNotes::current()) notes->note(result);
  return result;
}

Tensor make_input(std::string name, Type type) {
  auto node = std::make_shared<Node>();
  node->primitive = &input_primitive;
  node->attributes = InputName{std::move(name)};
  element_count(type.shape);
  node->type = std::move(type);
  return Tensor(std::shared_ptr<const Node>(std::move(node)));
}

std::vector<Tensor> nodes_in_order(std::span<const Tensor> outputs, const std::function<bool(const Node*)>& known) {
  std::vector<Tensor> order;
  std::unordered_set<const Node*> seen;
  for (const Tensor& output : outputs) {
    std::vector<std::pair<Tensor, std::size_t>> path{{output, 0}};
    while (!path.empty()) {
      auto& [tensor, next] = path.back();
      const Node* node = tensor.node().get();
      if (next == 0 && (seen.contains(node) || (known && known(node)))) {
        path.pop_back();
      } else if (next < node->inputs.size()) {
        Tensor input = node->inputs[next++];
        path.emplace_back(std::move(input), 0);
      } else {
        if (seen.insert(node).second) order.push_back(tensor);
        path.pop_back();
      }
    }
  }
  return order;
}

Tree inputs_like(const std::string& name, const Types& types) {
  const std::vector<std::string> paths = types.paths();
  std::size_t leaf = 0;
  return map(
      [&](const Type& type) {
        const std::string& path = paths[leaf++];
        return make_input(path.empty() ? name : name + "/" + path, type);
      },
      types);
}

namespace {
Tensor make_constant(const Array& value, bool weak) {
  auto node = std::make_shared<Node>();
  node->primitive = &constant_primitive;
  node->attributes = Constant{value, weak};
  node->type = value.type();
  return Tensor(std::shared_ptr<const Node>(std::move(node)));
}
}  // namespace

Tensor::Tensor(double value) : Tensor(make_constant(Array::scalar(static_cast<float>(value)), true)) {}
Tensor::Tensor(const Array& value) : Tensor(make_constant(value, false)) {}

const Type& Tensor::type() const {
  if (!node_) throw ShapeError("a tensor that was never given a value");
  return node_->type;
}

std::int64_t Tensor::dim(int axis) const {
  return shape()[static_cast<std::size_t>(normalized_axis(axis, rank(), "dim"))];
}

int normalized_axis(int axis, int rank, std::string_view function) {
  int result = axis < 0 ? axis + rank : axis;
  if (result < 0 || result >= rank)
    throw ShapeError(fmt::format("{}: axis {} of a tensor of {} dimensions", function, axis, rank));
  return result;
}

Shape broadcast_shape(const Shape& a, const Shape& b, std::string_view function) {
  const std::size_t rank = std::max(a.size(), b.size());
  Shape result(rank);
  for (std::size_t i = 0; i < rank; ++i) {
    std::int64_t left = i < a.size() ? a[a.size() - 1 - i] : 1;
    std::int64_t right = i < b.size() ? b[b.size() - 1 - i] : 1;
    if (left != right && left != 1 && right != 1)
      throw ShapeError(fmt::format("{}: {} and {}: {} is not {}", function, to_text(a), to_text(b), left, right));
    result[rank - 1 - i] = left == 1 ? right : left;
  }
  return result;
}

std::string to_text(const Attributes& attributes) {
  struct Visitor {
    std::string operator()(std::monostate) const { return ""; }
    std::string operator()(const InputName& input) const { return "'" + input.name + "'"; }
    std::string operator()(const Constant& constant) const {
      const Array& value = constant.value;
      if (value.size() != 1) return "…";
      if (value.dtype() == DType::float32) return fmt::format("{}", value.item<float>());
      return value.dtype() == DType::int32 ? fmt::format("{}", value.item<std::int32_t>())
                                           : fmt::format("{}", value.item<std::uint32_t>());
    }
    std::string operator()(const Target& target) const { return "to " + to_text(target.shape); }
    std::string operator()(const Axes& axes) const { return fmt::format("axes {}", fmt::join(axes.axes, ",")); }
    std::string operator()(const Bounds& bounds) const {
      return fmt::format("{}:{}:{}", to_text(bounds.start), to_text(bounds.stop), to_text(bounds.stride));
    }
    std::string operator()(const Padding& padding) const {
      return fmt::format("{} {}", to_text(padding.before), to_text(padding.after));
    }
    std::string operator()(const Transposed& transposed) const {
      return transposed.a ? (transposed.b ? "Aᵀ Bᵀ" : "Aᵀ B") : (transposed.b ? "A Bᵀ" : "");
    }
    std::string operator()(const Count& count) const { return fmt::format("{}", count.count); }
    std::string operator()(const HostCall& call) const { return call.primitive->name(); }
    std::string operator()(DType dtype) const { return std::string(name_of(dtype)); }
    std::string operator()(const Sliding& s) const {
      return fmt::format("windows {} stride {} dilation {} padding {} {}", to_text(s.kernel), to_text(s.stride),
                         to_text(s.dilation), to_text(s.before), to_text(s.after));
    }
    std::string operator()(const Cumulative& c) const {
      return fmt::format("axis {}{}", c.axis, c.reverse ? " from the end" : "");
    }
    std::string operator()(const Loop& loop) const { return to_text(*loop.body); }
  };
  return std::visit(Visitor{}, attributes);
}

}  // namespace lopt
