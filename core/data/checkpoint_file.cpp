#include "data/checkpoint_file.h"

#include "data/sha256.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace lopt {
namespace {

using json = Json;

constexpr std::string_view magic = "lopt-checkpoint 1\n";
constexpr std::size_t hash_size = 64;
constexpr int most_depth = 64;

json structure_of(const Values& tree) {
  if (tree.is_leaf()) return {{"dtype", name_of(tree.leaf().dtype())}, {"shape", tree.leaf().shape()}};
  json entries = json::array();
  for (const auto& [name, below] : tree.entries()) entries.push_back({name, structure_of(below)});
  return entries;
}

DType dtype_called(const std::string& name) {
  for (DType dtype : {DType::float32, DType::int32, DType::uint32, DType::boolean})
    if (name == name_of(dtype)) return dtype;
  throw std::invalid_argument(fmt::format("there is no element type '{}'", name));
}

/// Takes a tree's elements from the front of `elements`.
Values tree_of(const json& structure, std::span<const std::uint8_t>& elements, int depth = 0) {
  if (depth > most_depth) throw std::invalid_argument("its trees are nested too deeply");
  if (structure.is_array()) {
    std::vector<Values::Entry> entries;
    for (const json& entry : structure)
      entries.emplace_back(entry.at(0).get<std::string>(), tree_of(entry.at(1), elements, depth + 1));
    return Values(std::move(entries));
  }
  const Shape shape = structure.at("shape").get<Shape>();
  for (std::int64_t length : shape)
    if (length < 0) throw std::invalid_argument("a length is negative");
  const std::size_t bytes = static_cast<std::size_t>(element_count(shape)) * 4;
  if (bytes > elements.size()) throw std::invalid_argument("its arrays are cut short");
  Array array(dtype_called(structure.at("dtype").get<std::string>()), shape);
  if (bytes > 0) std::memcpy(array.mutable_data(), elements.data(), bytes);
  elements = elements.subspan(bytes);
  return array;
}

}  // namespace

bool Checkpoint::has_tree(const std::string& name) const {
  return std::any_of(trees.begin(), trees.end(), [&](const auto& tree) { return tree.first == name; });
}
const Values& Checkpoint::tree(const std::string& name) const {
  for (const auto& [known, tree] : trees)
    if (known == name) return tree;
  throw DataError(fmt::format("the checkpoint has no '{}'", name));
}

void encode_checkpoint(const Checkpoint& checkpoint, const std::function<void(std::string_view)>& put) {
  Sha256 hash;
  const auto put_hashed = [&](std::string_view bytes) {
    hash.add({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()});
    put(bytes);
  };
  json trees = json::array();
  for (const auto& [name, tree] : checkpoint.trees) trees.push_back({name, structure_of(tree)});
  const std::string text = to_text(json{{"facts", checkpoint.facts}, {"trees", trees}});
  std::string length;
  for (int shift = 0; shift < 64; shift += 8) length += static_cast<char>(text.size() >> shift);
  put_hashed(magic);
  put_hashed(length);
  put_hashed(text);
  for (const auto& [name, tree] : checkpoint.trees)
    for (const Array& leaf : tree.leaves()) put_hashed({static_cast<const char*>(leaf.data()), leaf.size() * 4});
  put(hash.digest());
}

std::string encode_checkpoint(const Checkpoint& checkpoint) {
  std::string bytes;
  encode_checkpoint(checkpoint, [&](std::string_view piece) { bytes += piece; });
  return bytes;
}

Checkpoint decode_checkpoint(std::span<const std::uint8_t> bytes, const std::string& name) {
  const auto damaged = [&](const std::string& why) {
    throw DataError(fmt::format("{}: is no checkpoint: {}", name, why));
  };
  if (bytes.size() < magic.size() + 8 + hash_size || std::memcmp(bytes.data(), magic.data(), magic.size()) != 0)
    damaged("it does not begin as one, or is cut short");
  const std::string_view hash(reinterpret_cast<const char*>(bytes.data()) + bytes.size() - hash_size, hash_size);
  bytes = bytes.first(bytes.size() - hash_size);
  if (sha256(bytes) != hash) damaged("its checksum is not that of its content: it is damaged or cut short");
  std::uint64_t length = 0;
  for (std::size_t i = 0; i < 8; ++i) length |= std::uint64_t{bytes[magic.size() + i]} << (8 * i);
  std::span<const std::uint8_t> rest = bytes.subspan(magic.size() + 8);
  if (length > rest.size()) damaged("its table of contents is cut short");
  Checkpoint result;
  try {
    const json content = parse_json(std::string_view(reinterpret_cast<const char*>(rest.data()), length));
    rest = rest.subspan(length);
    result.facts = content.at("facts");
    for (const json& tree : content.at("trees"))
      result.trees.emplace_back(tree.at(0).get<std::string>(), tree_of(tree.at(1), rest));
    if (!rest.empty()) throw std::invalid_argument("more follows its arrays");
  } catch (const std::exception& error) {
    damaged(error.what());
  }
  return result;
}

}  // namespace lopt
