#include "plan/row_role.h"

#include <algorithm>

namespace lopt {
namespace {

std::int64_t product(const Shape& shape, std::size_t from, std::size_t to) {
  std::int64_t result = 1;
  for (std::size_t i = from; i < to; ++i) result *= shape[i];
  return result;
}

/// Regions below this many rows are not worth their columns.
constexpr std::int64_t min_rows = 8;

RowRole broadcast_role(const Type& from, const Type& to) {
  const std::int64_t source = element_count(from.shape), target = element_count(to.shape);
  if (source == target) return {true, target, 0, false};
  const std::size_t extra = to.shape.size() - from.shape.size();
  std::size_t first = 0;  // the first dimension that is repeated
  while (first < to.shape.size() && (first < extra ? 1 : from.shape[first - extra]) == to.shape[first]) ++first;
  const std::int64_t rows = product(to.shape, 0, first);
  return {rows >= min_rows && target / rows <= max_columns, target, rows, false};
}

RowRole columns_role(const Program& program, const Operation& operation) {
  const Shape& result = operation.type.shape;
  std::size_t first = result.size();  // the first dimension that is cut, padded or joined
  for (ValueId input : operation.inputs) {
    const Shape& shape = program.type(input).shape;
    for (std::size_t i = 0; i < first; ++i)
      if (shape[i] != result[i]) first = i;
    if (const auto* axes = std::get_if<Axes>(&operation.attributes))
      first = std::min(first, static_cast<std::size_t>(axes->axes[0]));
  }
  const std::int64_t rows = product(result, 0, first), count = element_count(result);
  if (rows < min_rows) return {};
  bool narrow = count / rows <= max_columns;
  for (ValueId input : operation.inputs)
    narrow = narrow && size_of(program, input) / rows <= max_columns && size_of(program, input) > 0;
  return {narrow && count > 0, count, rows, false};
}

/// Work on many rows of a few columns runs in a region, row by row; other products and sums have kernels of their own.
bool is_tall(std::int64_t rows, std::int64_t a, std::int64_t b) {
  const std::int64_t wide = std::max(a, b), narrow = std::min(a, b);
  const bool many_rows = rows >= 32 * wide;
  return rows >= min_rows && narrow > 0 && wide <= (many_rows ? max_layer_columns : max_columns) &&
         (many_rows || narrow <= 8);
}
RowRole reduction_role(const Program& program, const Operation& operation) {
  const std::vector<int>& axes = std::get<Axes>(operation.attributes).axes;
  const Type& from = program.type(operation.inputs[0]);
  const std::int64_t count = element_count(from.shape);
  const std::size_t rank = from.shape.size();
  const bool adjacent = axes.back() - axes.front() + 1 == static_cast<int>(axes.size());
  if (!adjacent || count == 0) return {};
  const auto front = static_cast<std::size_t>(axes.front()), back = static_cast<std::size_t>(axes.back()) + 1;
  const std::int64_t outer = product(from.shape, 0, front), reduced = product(from.shape, front, back),
                     inner = product(from.shape, back, rank);
  const bool is_sum = operation.primitive->name == "sum", real = from.dtype == DType::float32;
  if (inner == 1 && outer >= min_rows && reduced <= max_columns && real) return {true, count, outer, false};
  // What is made element by element is summed up where it is made, if there are some rows for each column.
  const bool made_by_row = program.operations[operation.inputs[0]].primitive->fusion == Fusion::elementwise &&
                           inner <= max_columns && reduced >= 8 * inner;
  if (outer == 1 && real && inner == 1) return {true, count, 0, true};
  if (outer == 1 && is_sum && real && (is_tall(reduced, inner, inner) || made_by_row))
    return {true, count, reduced, true};
  return {};
}

RowRole matmul_role(const Program& program, const Operation& operation) {
  const Transposed t = std::get<Transposed>(operation.attributes);
  const Shape &a = program.type(operation.inputs[0]).shape, &c = operation.type.shape;
  const std::int64_t k = t.a ? a[0] : a[1];
  if (t.a && !t.b && is_tall(k, c[0], c[1])) return {true, k * std::max(c[0], c[1]), k, true};
  if (!t.a && is_tall(c[0], k, c[1])) return {true, c[0] * c[1], c[0], false};
  return {};
}

}  // namespace

std::int64_t size_of(const Program& program, ValueId value) { return element_count(program.type(value).shape); }

bool is_number_for_many(const Program& program, ValueId value) {
  constexpr std::int64_t many = 1 << 15;
  const Operation& op = program.operations[value];
  return op.primitive->name == "broadcast" && size_of(program, op.inputs[0]) == 1 && size_of(program, value) >= many;
}

RowRole role_of(const Program& program, ValueId value) {
  if (is_number_for_many(program, value)) return {};
  const Operation& operation = program.operations[value];
  const std::int64_t count = element_count(operation.type.shape);
  switch (operation.primitive->fusion) {
    case Fusion::elementwise: return {count > 0, count, 0, false};
    case Fusion::view:
      return operation.primitive->name == "broadcast" && count > 0
                 ? broadcast_role(program.type(operation.inputs[0]), operation.type)
                 : RowRole{count > 0, count, 0, false};
    case Fusion::columns: return columns_role(program, operation);
    case Fusion::reduction: return reduction_role(program, operation);
    case Fusion::matmul: return matmul_role(program, operation);
    default: return {};
  }
}

}  // namespace lopt
