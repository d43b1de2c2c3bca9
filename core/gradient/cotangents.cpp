#include "gradient/cotangents.h"

#include "trace/node.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace lopt {
namespace {

/// A part of a value along one axis, zeros elsewhere.
struct Part {
  Tensor content;
  std::size_t axis = 0;
  Shape before, after;  // lengths of the zeros

  std::int64_t begin() const { return before[axis]; }
  std::int64_t end() const { return before[axis] + content.shape()[axis]; }
};

std::optional<Part> part_of(const Tensor& x) {
  const auto* padding = std::get_if<Padding>(&x.node()->attributes);
  if (!padding) return std::nullopt;
  std::optional<std::size_t> axis;
  for (std::size_t i = 0; i < padding->before.size(); ++i) {
    if (padding->before[i] == 0 && padding->after[i] == 0) continue;
    if (axis) return std::nullopt;
    axis = i;
  }
  if (!axis) return std::nullopt;
  return Part{x.node()->inputs[0], *axis, padding->before, padding->after};
}

/// One that is both, if they are beside each other.
std::optional<Part> joined(const Part& a, const Part& b) {
  if (a.axis != b.axis) return std::nullopt;
  if (b.end() == a.begin()) return joined(b, a);
  if (a.end() != b.begin()) return std::nullopt;
  return Part{concatenate({a.content, b.content}, static_cast<int>(a.axis)), a.axis, a.before, b.after};
}

}  // namespace

Tensor sum_of_cotangents(std::vector<Tensor> cotangents) {
  std::vector<std::optional<Part>> parts;
  for (const Tensor& x : cotangents) parts.push_back(part_of(x));
  for (bool again = true; std::exchange(again, false);)
    for (std::size_t i = 0; i < parts.size(); ++i)
      for (std::size_t j = i + 1; parts[i] && j < parts.size(); ++j) {
        std::optional<Part> both = parts[j] ? joined(*parts[i], *parts[j]) : std::nullopt;
        if (!both) continue;
        cotangents[i] = pad(both->content, both->before, both->after);
        parts[i] = std::move(both);
        cotangents.erase(cotangents.begin() + static_cast<std::ptrdiff_t>(j));
        parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(j));
        again = true;
      }
  Tensor sum = cotangents[0];
  for (std::size_t i = 1; i < cotangents.size(); ++i) sum = sum + cotangents[i];
  return sum;
}

}  // namespace lopt
