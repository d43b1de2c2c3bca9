#include "bridge/message.h"

#include <fmt/format.h>

#include <cstring>

namespace lopt {
namespace {

constexpr std::string_view magic = "LOPT";

std::uint64_t number_at(std::string_view text, std::size_t at) {
  std::uint64_t number = 0;
  std::memcpy(&number, text.data() + at, sizeof number);
  return number;
}

}  // namespace

Json TracerMessage::put(const Array& array) {
  const std::size_t first = bytes.size();
  bytes.append(static_cast<const char*>(array.data()), array.size() * 4);
  return {{"array", {first, name_of(array.dtype()), array.shape()}}};
}

Array TracerMessage::array_at(const Json& place) const {
  try {
    const Json& parts = place.at("array");
    Array array(Type{dtype_named(parts.at(1).get<std::string>()), parts.at(2).get<Shape>()});
    const auto first = parts.at(0).get<std::uint64_t>();
    if (first > bytes.size() || bytes.size() - first < array.size() * 4)
      throw BridgeError("an array lies beyond the end of its message");
    if (array.size() > 0) std::memcpy(array.overwritten_data(), bytes.data() + first, array.size() * 4);
    return array;
  } catch (const Json::exception& error) {
    throw BridgeError(fmt::format("no array: {}", error.what()));
  }
}

std::string head_of(const MessageSizes& sizes) {
  const std::uint64_t numbers[] = {sizes.json, sizes.bytes};
  return std::string(magic).append(reinterpret_cast<const char*>(numbers), sizeof numbers);
}

std::string encode(const TracerMessage& message) {
  const std::string json = to_text(message.json);
  return head_of({json.size(), message.bytes.size()}) + json + message.bytes;
}

MessageSizes sizes_in(std::string_view head) {
  if (head.size() < head_bytes || !head.starts_with(magic)) throw BridgeError("it does not begin as a message does");
  return {number_at(head, 4), number_at(head, 12)};
}

TracerMessage decode(std::string_view text) {
  const MessageSizes sizes = sizes_in(text);
  const std::size_t rest = text.size() - head_bytes;
  if (sizes.json > rest || sizes.bytes != rest - sizes.json) throw BridgeError("a message is cut short");
  TracerMessage message{parse_json(text.substr(head_bytes, sizes.json)),
                        std::string(text.substr(head_bytes + sizes.json, sizes.bytes))};
  if (!message.json.is_object()) throw BridgeError("a message is no JSON object");
  return message;
}

Json type_json(const Type& type) { return {name_of(type.dtype), type.shape}; }

DType dtype_named(std::string_view name) {
  for (const DType dtype : {DType::float32, DType::int32, DType::uint32, DType::boolean})
    if (name == name_of(dtype)) return dtype;
  throw BridgeError(fmt::format("there is no element type '{}'; there are float32, int32, uint32 and bool", name));
}

Type type_of_json(const Json& json) { return {dtype_named(json.at(0).get<std::string>()), json.at(1).get<Shape>()}; }

}  // namespace lopt
