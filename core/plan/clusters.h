#pragma once
// Which operations run together: regions of rows, found by merging producers with consumers.

#include "plan/row_role.h"

#include <map>
#include <optional>

namespace lopt {

/// A matrix product that takes the bias and activation behind it with it, or a relu's derivative: `end` is the value
/// that comes out.
struct ProductEnd {
  ValueId end = 0;
  bool has_bias = false, relu = false;
  ValueId bias = 0;             // [m, n], the same in all rows
  std::optional<ValueId> gate;  // [m, n]: where it is not above 0, the result is 0
};

struct Clusters {
  static constexpr std::uint32_t none = ~0U;
  std::vector<RowRole> roles;                 // by operation
  std::map<ValueId, ProductEnd> products;     // by matmul that stands alone
  std::map<ValueId, ValueId> product_of;      // by the value at its end, and those between
  std::vector<std::uint32_t> of;              // cluster of an operation; none: it stands alone
  std::vector<std::vector<ValueId>> members;  // in program order
  std::vector<std::int64_t> rows;             // by cluster
};

/// Operations that a region has at most.
inline constexpr std::size_t most_members = 400;

/// True if `operation` reads input i row by row; false if it needs all of it, as the weights of a dense layer.
bool reads_by_row(const Program& program, ValueId operation, std::size_t input, std::int64_t rows);

Clusters find_clusters(const Program& program);

/// Moves what a cluster makes for one other alone to where it is read, if less memory is written and read then: of a
/// layer that makes many columns of few, the few are handed over.
void move_to_readers(const Program& program, Clusters& clusters);

}  // namespace lopt
