#include "gradient/cotangents.h"

#include "trace/node.h"

#include <algorithm>
#include <map>
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

}  // namespace

Tensor sum_of_cotangents(std::vector<Tensor> cotangents) {
  std::vector<std::optional<Part>> parts;
  std::multimap<std::pair<std::size_t, std::int64_t>, std::size_t> waiting;  // by axis and where they begin
  for (std::size_t i = 0; i < cotangents.size(); ++i) {
    parts.push_back(part_of(cotangents[i]));
    if (parts[i]) waiting.emplace(std::pair(parts[i]->axis, parts[i]->begin()), i);
  }
  while (!waiting.empty()) {
    std::vector<std::size_t> run;  // each begins where the one before ends
    for (auto at = waiting.begin(); at != waiting.end();
         at = waiting.find({parts[run.back()]->axis, parts[run.back()]->end()})) {
      run.push_back(at->second);
      waiting.erase(at);
    }
    if (run.size() < 2) continue;
    const Part &first = *parts[run.front()], &last = *parts[run.back()];
    std::vector<Tensor> contents;
    for (const std::size_t i : run) {
      contents.push_back(parts[i]->content);
      cotangents[i] = Tensor();
    }
    cotangents[*std::min_element(run.begin(), run.end())] =
        pad(concatenate(contents, static_cast<int>(first.axis)), first.before, last.after);
  }
  Tensor sum;
  for (const Tensor& x : cotangents)
    if (x) sum = sum ? sum + x : x;
  return sum;
}

}  // namespace lopt
