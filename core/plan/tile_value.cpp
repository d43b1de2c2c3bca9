#include "plan/tile_value.h"

namespace lopt {

std::optional<TileOperand> even_operand(const TileValue& value) {
  const Column& first = value[0];
  const std::int64_t step = value.size() > 1 ? value[1].at - first.at : first.kind == TileOperand::Kind::tile;
  for (std::size_t i = 1; i < value.size(); ++i)
    if (value[i].kind != first.kind || value[i].group != first.group || value[i].buffer != first.buffer ||
        value[i].at - value[i - 1].at != step)
      return std::nullopt;
  return TileOperand{first.kind, first.group, first.buffer, first.at, step};
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
