#include "plan/tile_value.h"

#include <algorithm>

namespace lopt {

bool TileValue::is_even() const {
  auto even = [](std::size_t count, auto at) {
    for (std::size_t i = 2; i < count; ++i)
      if (at(i) - at(i - 1) != at(1) - at(0)) return false;
    return true;
  };
  if (kind != TileOperand::Kind::tile) return even(width(), [&](std::size_t i) { return elements[i]; });
  return even(width(), [&](std::size_t i) { return columns[i].index; }) &&
         std::all_of(columns.begin(), columns.end(), [&](const Column& c) { return c.group == columns[0].group; });
}

TileValue TileValue::column(std::size_t at) const {
  TileValue one{kind, {}, buffer, {}};
  if (kind == TileOperand::Kind::tile)
    one.columns = {columns[at]};
  else
    one.elements = {elements[at]};
  return one;
}

std::optional<ElementSource> source_of(const Program& program, const Operation& operation, std::int64_t at) {
  const Shape& shape = operation.type.shape;
  Shape index(shape.size());
  for (std::size_t i = shape.size(); i-- > 0; at /= shape[i]) index[i] = at % shape[i];
  auto flat = [&](std::size_t input) {
    const Shape& from = program.type(operation.inputs[input]).shape;
    const std::size_t extra = shape.size() - from.size();
    std::int64_t element = 0;
    for (std::size_t i = 0; i < from.size(); ++i) element = element * from[i] + (from[i] == 1 ? 0 : index[i + extra]);
    return ElementSource{input, element};
  };
  if (const auto* bounds = std::get_if<Bounds>(&operation.attributes)) {
    for (std::size_t i = 0; i < index.size(); ++i) index[i] = bounds->start[i] + index[i] * bounds->stride[i];
  } else if (const auto* padding = std::get_if<Padding>(&operation.attributes)) {
    for (std::size_t i = 0; i < index.size(); ++i) {
      index[i] -= padding->before[i];
      if (index[i] < 0 || index[i] >= program.type(operation.inputs[0]).shape[i]) return std::nullopt;
    }
  } else if (const auto* axes = std::get_if<Axes>(&operation.attributes)) {
    const auto axis = static_cast<std::size_t>(axes->axes[0]);
    for (std::size_t input = 0; input < operation.inputs.size(); ++input) {
      const std::int64_t length = program.type(operation.inputs[input]).shape[axis];
      if (index[axis] < length) return flat(input);
      index[axis] -= length;
    }
  }
  return flat(0);
}

}  // namespace lopt
