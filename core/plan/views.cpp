#include "plan/views.h"

#include <algorithm>

namespace lopt {
namespace {

struct Dimension {
  std::int64_t length, stride;
};

/// Dimensions that step evenly into each other become one; lengths of 1 go.
std::vector<Dimension> collapsed(const View& view) {
  std::vector<Dimension> result;
  for (std::size_t i = 0; i < view.shape.size(); ++i) {
    if (view.shape[i] == 1) continue;
    if (!result.empty() && result.back().stride == view.strides[i] * view.shape[i]) {
      result.back() = {result.back().length * view.shape[i], view.strides[i]};
    } else {
      result.push_back({view.shape[i], view.strides[i]});
    }
  }
  return result;
}

/// Takes `length` elements from the innermost of the dimensions; none where they do not step evenly.
std::optional<std::int64_t> take_inner(std::vector<Dimension>& dimensions, std::int64_t length) {
  if (length == 1) return 0;
  if (dimensions.empty() || dimensions.back().length % length != 0) return std::nullopt;
  Dimension& inner = dimensions.back();
  const std::int64_t stride = inner.stride;
  inner = {inner.length / length, stride * length};
  if (inner.length == 1) dimensions.pop_back();
  return stride;
}

}  // namespace

bool View::contiguous() const {
  std::int64_t stride = 1;
  for (std::size_t i = shape.size(); i-- > 0; stride *= shape[i])
    if (shape[i] != 1 && strides[i] != stride) return false;
  return true;
}

Copies::Copy copy_between(const View& from, const View& to) {
  return {from, to, element_count(from.shape), from.contiguous() && to.contiguous()};
}

View whole(BufferId buffer, const Shape& shape) {
  View view{buffer, 0, shape, Shape(shape.size())};
  std::int64_t stride = 1;
  for (std::size_t i = shape.size(); i-- > 0; stride *= shape[i]) view.strides[i] = stride;
  return view;
}

std::optional<View> reshaped(const View& view, const Shape& shape) {
  View result{view.buffer, view.offset, shape, Shape(shape.size(), 0)};
  if (element_count(shape) == 0) return result;
  std::vector<Dimension> dimensions = collapsed(view);
  for (std::size_t i = shape.size(); i-- > 0;) {
    std::optional<std::int64_t> stride = take_inner(dimensions, shape[i]);
    if (!stride) return std::nullopt;
    result.strides[i] = *stride;
  }
  return result;
}

bool is_view(const Operation& operation) {
  return operation.primitive->fusion == Fusion::view || operation.primitive->name == "slice" ||
         operation.primitive->name == "transpose";
}

std::optional<View> applied(const View& view, const Operation& operation) {
  const Shape& shape = operation.type.shape;
  const std::string_view name = operation.primitive->name;
  if (name == "reshape") return reshaped(view, shape);
  View result{view.buffer, view.offset, shape, Shape(shape.size(), 0)};
  if (name == "broadcast") {
    const std::size_t extra = shape.size() - view.shape.size();
    for (std::size_t i = 0; i < view.shape.size(); ++i)
      result.strides[i + extra] = view.shape[i] == shape[i + extra] ? view.strides[i] : 0;
  } else if (name == "transpose") {
    const auto& axes = std::get<Axes>(operation.attributes).axes;
    for (std::size_t i = 0; i < axes.size(); ++i) result.strides[i] = view.strides[static_cast<std::size_t>(axes[i])];
  } else {
    const Bounds& bounds = std::get<Bounds>(operation.attributes);
    for (std::size_t i = 0; i < shape.size(); ++i) {
      result.offset += bounds.start[i] * view.strides[i];
      result.strides[i] = bounds.stride[i] * view.strides[i];
    }
  }
  return result;
}

bool RowsAndColumns::uniform() const { return rows.lengths.empty(); }
bool RowsAndColumns::stream() const { return rows.lengths.size() == 1 && rows.strides[0] == 1; }

std::optional<RowsAndColumns> split_rows(const View& view, std::int64_t rows) {
  std::vector<Dimension> dimensions = collapsed(view), inner;
  std::int64_t columns = element_count(view.shape) / rows;
  while (columns > 1) {
    const std::int64_t length = std::min(columns, dimensions.empty() ? 1 : dimensions.back().length);
    if (columns % length != 0) return std::nullopt;
    std::optional<std::int64_t> stride = length > 1 ? take_inner(dimensions, length) : std::nullopt;
    if (!stride) return std::nullopt;
    inner.insert(inner.begin(), {length, *stride});
    columns /= length;
  }
  RowsAndColumns result{{}, {view.offset}};
  for (const auto& [length, stride] : inner) {
    std::vector<std::int64_t> next;
    for (std::int64_t start : result.columns)
      for (std::int64_t i = 0; i < length; ++i) next.push_back(start + i * stride);
    result.columns = std::move(next);
  }
  const bool uniform =
      std::all_of(dimensions.begin(), dimensions.end(), [](const Dimension& d) { return d.stride == 0; });
  if (!uniform)
    for (const auto& [length, stride] : dimensions) {
      result.rows.lengths.push_back(length);
      result.rows.strides.push_back(stride);
    }
  return result;
}

}  // namespace lopt
