#include "bridge/written_program.h"

#include "bridge/host_workers.h"
#include "gradient/gradient.h"
#include "trace/primitives/by_name.h"
#include "trace/scan_body.h"

#include <fmt/format.h>

#include <unordered_map>

namespace lopt {
namespace {

using Numbers = std::unordered_map<const Node*, std::size_t>;

Json nodes_json(TracerMessage& message, const std::vector<Tensor>& inputs, const std::vector<Tensor>& outputs,
                Numbers& number_of);

Json numbers_json(const std::vector<Tensor>& values, const Numbers& number_of) {
  Json numbers = Json::array();
  for (const Tensor& value : values) numbers.push_back(number_of.at(value.node().get()));
  return numbers;
}
Json types_json(const std::vector<Tensor>& values) {
  Json types = Json::array();
  for (const Tensor& value : values) types.push_back(type_json(value.type()));
  return types;
}

/// A scan's body is a program of its own.
Json body_json(TracerMessage& message, const ScanBody& body) {
  Numbers number_of;
  Json json{{"carry", types_json(body.carry)},
            {"slices", types_json(body.slices)},
            {"constants", types_json(body.constants)}};
  json["nodes"] = nodes_json(message, body.inputs(), body.outputs(), number_of);
  json["next"] = numbers_json(body.next, number_of);
  json["stacked"] = numbers_json(body.stacked, number_of);
  json["summed"] = numbers_json(body.summed, number_of);
  json["products"] = body.products;
  json["length"] = body.length;
  json["reverse"] = body.reverse;
  json["counted"] = body.counted;
  return json;
}

struct ToJson {
  TracerMessage& message;
  Json operator()(std::monostate) const { return nullptr; }
  Json operator()(const InputName&) const { return nullptr; }
  Json operator()(const Constant& constant) const {
    return {{"constant", message.put(constant.value)}, {"weak", constant.weak}};
  }
  Json operator()(const Target& target) const { return {{"target", target.shape}}; }
  Json operator()(const Axes& axes) const { return {{"axes", axes.axes}}; }
  Json operator()(const Bounds& b) const { return {{"bounds", {b.start, b.stop, b.stride}}}; }
  Json operator()(const Padding& p) const { return {{"padding", {p.before, p.after}}}; }
  Json operator()(const Transposed& t) const { return {{"transposed", {t.a, t.b}}}; }
  Json operator()(const Count& count) const { return {{"count", count.count}}; }
  Json operator()(const HostCall& call) const {
    if (const auto* function = dynamic_cast<const HostFunction*>(call.primitive.get()))
      return {{"host", function->settings()}};
    throw ShapeError(
        fmt::format("the primitive '{}' is host code, which no program can carry elsewhere", call.primitive->name()));
  }
  Json operator()(DType dtype) const { return {{"dtype", name_of(dtype)}}; }
  Json operator()(const Sliding& s) const {
    // Infinities are no numbers of JSON.
    const bool least = s.outside < 0;
    return {{"sliding", {s.kernel, s.stride, s.dilation, s.before, s.after, s.image, least}}};
  }
  Json operator()(const Cumulative& c) const { return {{"cumulative", {c.axis, c.reverse}}}; }
  Json operator()(const Loop& loop) const { return {{"loop", body_json(message, *loop.body)}}; }
};

Json nodes_json(TracerMessage& message, const std::vector<Tensor>& inputs, const std::vector<Tensor>& outputs,
                Numbers& number_of) {
  for (const Tensor& input : inputs) number_of.emplace(input.node().get(), number_of.size());
  Json nodes = Json::array();
  for (const Tensor& value : nodes_in_order(outputs)) {
    const Node& node = *value.node();
    if (number_of.contains(&node)) continue;
    if (node.primitive == &input_primitive)
      throw ShapeError(fmt::format("a value {} of another program is used, which is not among the arguments",
                                   to_text(node.attributes)));
    Json written{node.primitive->name, numbers_json(node.inputs, number_of)};
    Json attributes = std::visit(ToJson{message}, node.attributes);
    if (!attributes.is_null()) written.push_back(std::move(attributes));
    nodes.push_back(std::move(written));
    number_of.emplace(&node, number_of.size());
  }
  return nodes;
}

struct Source {
  const TracerMessage& message;
  const MakeHost& make_host;
};
std::vector<Tensor> values_of(const Source& source, const Json& nodes, std::vector<Tensor> values);

std::vector<Tensor> inputs_of_types(const Json& types, std::string_view name) {
  std::vector<Tensor> inputs;
  for (const Json& type : types) inputs.push_back(make_input(std::string(name), type_of_json(type)));
  return inputs;
}

Loop loop_of(const Source& source, const Json& json) {
  auto body = std::make_shared<ScanBody>();
  body->carry = inputs_of_types(json.at("carry"), "carry");
  body->slices = inputs_of_types(json.at("slices"), "x");
  body->constants = inputs_of_types(json.at("constants"), "constant");
  const std::vector<Tensor> values = values_of(source, json.at("nodes"), body->inputs());
  const auto chosen = [&](const char* key) {
    std::vector<Tensor> result;
    for (const Json& number : json.at(key)) result.push_back(values.at(number.get<std::size_t>()));
    return result;
  };
  body->next = chosen("next");
  body->stacked = chosen("stacked");
  body->summed = chosen("summed");
  body->products = json.at("products").get<std::size_t>();
  body->length = json.at("length").get<std::int64_t>();
  body->reverse = json.at("reverse").get<bool>();
  body->counted = json.at("counted").get<bool>();
  return {std::move(body)};
}

Attributes attributes_of(const Source& source, const Json& json) {
  if (json.is_null()) return std::monostate{};
  const std::string kind = json.begin().key();
  const Json& value = json.begin().value();
  if (kind == "target") return Target{value.get<Shape>()};
  if (kind == "axes") return Axes{value.get<std::vector<int>>()};
  if (kind == "bounds") return Bounds{value.at(0).get<Shape>(), value.at(1).get<Shape>(), value.at(2).get<Shape>()};
  if (kind == "padding") return Padding{value.at(0).get<Shape>(), value.at(1).get<Shape>()};
  if (kind == "transposed") return Transposed{value.at(0).get<bool>(), value.at(1).get<bool>()};
  if (kind == "count") return Count{value.get<std::int64_t>()};
  if (kind == "dtype") return dtype_named(value.get<std::string>());
  if (kind == "cumulative") return Cumulative{value.at(0).get<int>(), value.at(1).get<bool>()};
  if (kind == "loop") return loop_of(source, value);
  if (kind == "sliding")
    return Sliding{.kernel = value.at(0).get<Shape>(),
                   .stride = value.at(1).get<Shape>(),
                   .dilation = value.at(2).get<Shape>(),
                   .before = value.at(3).get<Shape>(),
                   .after = value.at(4).get<Shape>(),
                   .image = value.at(5).get<Shape>(),
                   .outside = value.at(6).get<bool>() ? -std::numeric_limits<float>::infinity() : 0.0F};
  throw BridgeError(fmt::format("a program has attributes '{}', which this version does not know", kind));
}

Tensor constant_of(const TracerMessage& message, const Json& json) {
  const Array value = message.array_at(json.at("constant"));
  return json.at("weak").get<bool>() ? Tensor(static_cast<double>(value.item<float>())) : Tensor(value);
}

std::vector<Tensor> values_of(const Source& source, const Json& nodes, std::vector<Tensor> values) {
  for (const Json& written : nodes) {
    const auto name = written.at(0).get<std::string>();
    const Json attributes = written.size() > 2 ? written.at(2) : Json();
    if (name == constant_primitive.name) {
      values.push_back(constant_of(source.message, attributes));
      continue;
    }
    if (name == "host") {
      if (!source.make_host) throw BridgeError("a program has a step outside of lopt, which is not there");
      std::vector<Tensor> inputs;
      for (const Json& number : written.at(1)) inputs.push_back(values.at(number.get<std::size_t>()));
      values.push_back(apply(source.make_host(attributes.at("host")), std::move(inputs)));
      continue;
    }
    const Primitive* primitive = name == scan_primitive().name ? &scan_primitive() : primitive_named(name);
    if (!primitive)
      throw BridgeError(fmt::format("a program has the primitive '{}', which this version does not know", name));
    std::vector<Tensor> inputs;
    for (const Json& number : written.at(1)) inputs.push_back(values.at(number.get<std::size_t>()));
    values.push_back(apply(*primitive, std::move(inputs), attributes_of(source, attributes)));
  }
  return values;
}

}  // namespace

std::vector<std::size_t> write_nodes(TracerMessage& message, const std::vector<Tensor>& inputs,
                                     const std::vector<Tensor>& outputs) {
  Numbers number_of;
  message.json["inputs"] = inputs.size();
  message.json["nodes"] = nodes_json(message, inputs, outputs, number_of);
  std::vector<std::size_t> numbers;
  for (const Tensor& output : outputs) numbers.push_back(number_of.at(output.node().get()));
  return numbers;
}

std::vector<Tensor> read_nodes(const TracerMessage& message, std::vector<Tensor> inputs, const MakeHost& make_host) {
  try {
    if (message.json.at("inputs").get<std::size_t>() != inputs.size())
      throw BridgeError(fmt::format("a program has {} inputs, and was given {}",
                                    message.json.at("inputs").get<std::size_t>(), inputs.size()));
    return values_of({message, make_host}, message.json.at("nodes"), std::move(inputs));
  } catch (const Json::exception& error) {
    throw BridgeError(fmt::format("a program is not written as it should be: {}", error.what()));
  } catch (const std::out_of_range&) {
    throw BridgeError("a program uses a value that it has not");
  }
}

}  // namespace lopt
