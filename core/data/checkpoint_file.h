#pragma once
// A checkpoint as bytes: facts in JSON, trees of arrays, and a SHA-256 of all that.
//
//   "lopt-checkpoint 1\n", length of the JSON (8 bytes, little-endian), the JSON, the arrays' elements one after the
//   other, SHA-256 of what went before (64 hexadecimal digits).
//
// The JSON is {"facts": …, "trees": [[name, TREE], …]}; TREE is {"dtype": …, "shape": […]} for a leaf, or [[name,
// TREE], …].

#include <lopt/dataset.h>

#include "data/json.h"

namespace lopt {

struct Checkpoint {
  Json facts;
  std::vector<std::pair<std::string, Values>> trees;

  /// Throws DataError where there is none.
  const Values& tree(const std::string& name) const;
  bool has_tree(const std::string& name) const;
};

/// Gives the bytes piece by piece: no copy of all of them is made.
void encode_checkpoint(const Checkpoint& checkpoint, const std::function<void(std::string_view)>& put);
std::string encode_checkpoint(const Checkpoint& checkpoint);
/// Throws DataError, which begins with `name`, for bytes that are no whole checkpoint.
Checkpoint decode_checkpoint(std::span<const std::uint8_t> bytes, const std::string& name);

}  // namespace lopt
