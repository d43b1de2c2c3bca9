#pragma once
// What is said between lopt and a program that describes components in another language: JSON, and arrays beside it.

#include "data/json.h"

#include <lopt/tree.h>

#include <string>

namespace lopt {

/// JSON in which {"array": [first byte, element type, shape]} stands for elements among `bytes`.
struct TracerMessage {
  Json json = Json::object();
  std::string bytes;

  /// Puts an array behind the others; what stands for it in the JSON.
  Json put(const Array& array);
  /// The array that stands for it. Throws BridgeError where there is none.
  Array array_at(const Json& place) const;
};

/// A message that does not say what it should: the program at the other end is another version, or damaged.
class BridgeError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Bytes of a message: "LOPT", the lengths of its two parts as 64-bit little-endian numbers, and the parts.
std::string encode(const TracerMessage& message);
/// How many bytes of it there are before its two parts, and how long those are. Throws BridgeError.
inline constexpr std::size_t head_bytes = 20;
struct MessageSizes {
  std::uint64_t json = 0, bytes = 0;
};
MessageSizes sizes_in(std::string_view head);
TracerMessage decode(std::string_view text);
/// The bytes before the two parts.
std::string head_of(const MessageSizes& sizes);

/// {"tree": [[name, tree], …]}, or what `leaf` makes of a leaf.
template <class Leaf, class Function>
Json tree_json(const BasicTree<Leaf>& tree, Function leaf) {
  if (tree.is_leaf()) return leaf(tree.leaf());
  Json entries = Json::array();
  for (const auto& [name, below] : tree.entries()) entries.push_back({name, tree_json(below, leaf)});
  return {{"tree", std::move(entries)}};
}
/// The tree of such a text; `leaf` makes a leaf of what stands there.
template <class Leaf, class Function>
BasicTree<Leaf> tree_from_json(const Json& json, Function leaf) {
  if (!json.is_object() || !json.contains("tree")) return BasicTree<Leaf>(leaf(json));
  std::vector<typename BasicTree<Leaf>::Entry> entries;
  for (const Json& entry : json.at("tree"))
    entries.emplace_back(entry.at(0).get<std::string>(), tree_from_json<Leaf>(entry.at(1), leaf));
  return BasicTree<Leaf>(std::move(entries));
}

/// ["float32", [2, 3]].
Json type_json(const Type& type);
Type type_of_json(const Json& json);
DType dtype_named(std::string_view name);

}  // namespace lopt
