#include "data/safetensors.h"

#include "data/damaged.h"
#include "data/half.h"
#include "data/json.h"
#include "data/durable_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <fstream>

namespace lopt {
namespace {

constexpr std::size_t most_header_bytes = 100'000'000;
constexpr const char* comment_key = "lopt";

template <class T>
T load(const std::uint8_t* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

struct Format {
  const char* name;
  std::size_t bytes;
  DType becomes;
};
constexpr Format formats[] = {{"F32", 4, DType::float32},  {"F64", 8, DType::float32}, {"F16", 2, DType::float32},
                              {"BF16", 2, DType::float32}, {"I32", 4, DType::int32},   {"I64", 8, DType::int32},
                              {"U32", 4, DType::uint32}};

Array array_from(const Format& format, const Shape& shape, std::span<const std::uint8_t> bytes,
                 const std::string& where) {
  Array array(format.becomes, shape);
  const std::string_view type = format.name;
  for (std::size_t i = 0; i < array.size(); ++i) {
    const std::uint8_t* at = bytes.data() + i * format.bytes;
    if (format.becomes == DType::float32)
      array.mutable_values<float>()[i] = type == "F32"   ? load<float>(at)
                                         : type == "F64" ? static_cast<float>(load<double>(at))
                                         : type == "F16" ? from_half(load<std::uint16_t>(at))
                                                         : from_bfloat16(load<std::uint16_t>(at));
    else if (format.becomes == DType::uint32)
      array.mutable_values<std::uint32_t>()[i] = load<std::uint32_t>(at);
    else if (type == "I32")
      array.mutable_values<std::int32_t>()[i] = load<std::int32_t>(at);
    else {
      const auto value = load<std::int64_t>(at);
      if (value != static_cast<std::int32_t>(value))
        damaged(where, fmt::format("has an element {}, which is too large for int32", value));
      array.mutable_values<std::int32_t>()[i] = static_cast<std::int32_t>(value);
    }
  }
  return array;
}

/// The header of a file; `begin` becomes where the arrays begin.
Json header_of(std::span<const std::uint8_t> bytes, const std::string& name, std::size_t& begin) {
  if (bytes.size() < 8) damaged(name, "is no safetensors file: it is shorter than its header's length");
  const auto length = load<std::uint64_t>(bytes.data());
  if (length > most_header_bytes || length > bytes.size() - 8)
    damaged(name, fmt::format("is no safetensors file: its header would be {} bytes long", length));
  begin = 8 + static_cast<std::size_t>(length);
  Json header = parse_json(std::string_view(reinterpret_cast<const char*>(bytes.data()) + 8, length));
  if (!header.is_object()) damaged(name, "is no safetensors file: its header is no JSON object");
  return header;
}

Array array_of(const Json& entry, std::span<const std::uint8_t> data, const std::string& where) {
  const auto is_list = [](const Json& json) {
    return json.is_array() &&
           std::all_of(json.begin(), json.end(), [](const Json& n) { return n.is_number_unsigned(); });
  };
  if (!entry.is_object() || !entry.contains("dtype") || !entry["dtype"].is_string() || !entry.contains("shape") ||
      !is_list(entry["shape"]) || !entry.contains("data_offsets") || !is_list(entry["data_offsets"]) ||
      entry["data_offsets"].size() != 2)
    damaged(where, "its entry has no dtype, shape and data_offsets");
  const auto type = entry["dtype"].get<std::string>();
  const auto* format =
      std::find_if(std::begin(formats), std::end(formats), [&](const Format& known) { return type == known.name; });
  if (format == std::end(formats)) damaged(where, fmt::format("is of the type {}, which is not known here", type));
  constexpr std::uint64_t most_elements = std::uint64_t{1} << 30U;
  Shape shape;
  std::uint64_t elements = 1;
  for (const Json& length : entry["shape"]) {
    const auto n = length.get<std::uint64_t>();
    if (n > most_elements || shape.size() == 32) damaged(where, "is larger than can be");
    elements *= n;
    if (elements > most_elements) damaged(where, "is larger than can be");
    shape.push_back(static_cast<std::int64_t>(n));
  }
  const auto begin = entry["data_offsets"][0].get<std::uint64_t>(), end = entry["data_offsets"][1].get<std::uint64_t>();
  if (begin > end || end > data.size() || end - begin != elements * format->bytes)
    damaged(where, "its place in the file does not fit its shape");
  return array_from(*format, shape, data.subspan(begin, end - begin), where);
}

std::vector<std::uint8_t> bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) damaged(path, fmt::format("cannot be read: {}", std::strerror(errno)));
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

void write_safetensors(const std::string& path, const Values& tree, const std::string& comment) {
  Json header = Json::object();
  if (!comment.empty()) header["__metadata__"] = {{comment_key, comment}};
  const std::vector<std::string> names = tree.paths();
  const std::vector<Array> leaves = tree.leaves();
  std::size_t offset = 0;
  std::string data;
  for (std::size_t i = 0; i < leaves.size(); ++i) {
    const Array& leaf = leaves[i];
    const char* type = leaf.dtype() == DType::float32 ? "F32" : leaf.dtype() == DType::int32 ? "I32" : "U32";
    const std::size_t bytes = 4 * leaf.size();
    header[names[i]] = {{"dtype", type}, {"shape", leaf.shape()}, {"data_offsets", {offset, offset + bytes}}};
    data.append(static_cast<const char*>(leaf.data()), bytes);
    offset += bytes;
  }
  std::string text = to_text(header);
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const std::uint64_t length = text.size();
  std::string whole(8, '\0');
  std::memcpy(whole.data(), &length, sizeof length);
  write_durably(path, whole + text + data);
}

Values parse_safetensors(std::span<const std::uint8_t> bytes, const std::string& name) {
  std::size_t begin = 0;
  const Json header = header_of(bytes, name, begin);
  std::vector<Values::Entry> entries;
  for (const auto& [key, entry] : header.items())
    if (key != "__metadata__") entries.emplace_back(key, array_of(entry, bytes.subspan(begin), name + ": " + key));
  if (entries.empty()) damaged(name, "it holds no arrays");
  return Values(std::move(entries));
}

Values read_safetensors(const std::string& path) { return parse_safetensors(bytes_of(path), path); }

std::string safetensors_comment(const std::string& path) {
  std::size_t begin = 0;
  const Json header = header_of(bytes_of(path), path, begin);
  if (!header.contains("__metadata__") || !header["__metadata__"].is_object()) return "";
  const Json& metadata = header["__metadata__"];
  return metadata.contains(comment_key) && metadata[comment_key].is_string() ? metadata[comment_key].get<std::string>()
                                                                             : "";
}

}  // namespace lopt
