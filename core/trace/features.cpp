#include <lopt/features.h>

#include <algorithm>
#include <numeric>

namespace lopt {

Tree moving_mean(const Tree& mean, const Tree& x, const Tensor& decay) { return decay * mean + (1 - decay) * x; }
Tensor moving_mean(const Tensor& mean, const Tensor& x, const Tensor& decay) { return decay * mean + (1 - decay) * x; }

Tensor normalized_by_moment(const Tensor& x, double epsilon, const std::vector<int>& axes) {
  Shape kept = x.shape();
  if (axes.empty()) kept.assign(kept.size(), 1);
  for (int axis : axes) kept[static_cast<std::size_t>(axis < 0 ? axis + x.rank() : axis)] = 1;
  return x * reshape(rsqrt(mean(square(x), axes) + epsilon), kept);
}

Tensor step_embedding(const Tensor& iteration) {
  constexpr float scales[] = {1, 3, 10, 30, 100, 300, 1e3F, 3e3F, 1e4F, 3e4F, 1e5F};
  const Tensor scale(Array({std::ssize(scales)}, std::span<const float>(scales)));
  return tanh(convert(iteration, DType::float32) / scale - 1);
}

FactoredAxes factored_axes(const Shape& shape) {
  std::vector<int> order(shape.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
    return shape[static_cast<std::size_t>(a)] < shape[static_cast<std::size_t>(b)];
  });
  return {order[order.size() - 1], order[order.size() - 2]};
}

FactoredMoment FactoredMoment::start(const Tensor& parameter) {
  if (parameter.rank() < 2) return {zeros_like(parameter), zeros({})};
  const FactoredAxes axes = factored_axes(parameter.shape());
  Shape row = parameter.shape(), column = parameter.shape();
  row.erase(row.begin() + axes.row);
  column.erase(column.begin() + axes.column);
  return {zeros(row), zeros(column)};
}

FactoredMoment FactoredMoment::updated(const Tensor& gradient, const Tensor& decay) const {
  const Tensor squared = square(gradient) + 1e-30;
  if (gradient.rank() < 2) return {moving_mean(row, squared, decay), column};
  const FactoredAxes axes = factored_axes(gradient.shape());
  return {moving_mean(row, mean(squared, {axes.row}), decay), moving_mean(column, mean(squared, {axes.column}), decay)};
}

Tensor FactoredMoment::inverse_root(const Shape& shape) const {
  constexpr double least = 1e-9;
  if (shape.size() < 2) return rsqrt(maximum(row + least, least));
  const FactoredAxes axes = factored_axes(shape);
  const int column_in_row = axes.column > axes.row ? axes.column - 1 : axes.column;  // the axis that is left of both
  const Tensor whole = expand_dims(mean(row, {column_in_row}), column_in_row);
  const Tensor rows = rsqrt(maximum(row / (whole + least), least)), columns = rsqrt(maximum(column, least));
  return expand_dims(rows, axes.row) * expand_dims(columns, axes.column);
}

Tensor FactoredMoment::row_of(const Shape& shape) const {
  return shape.size() < 2 ? row : broadcast_to(expand_dims(row, factored_axes(shape).row), shape);
}
Tensor FactoredMoment::column_of(const Shape& shape) const {
  return shape.size() < 2 ? row : broadcast_to(expand_dims(column, factored_axes(shape).column), shape);
}

}  // namespace lopt
