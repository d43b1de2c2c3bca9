#include "trace/scan_body.h"

#include <fmt/format.h>

namespace lopt {
namespace {

std::vector<Tensor> joined(std::initializer_list<const std::vector<Tensor>*> lists) {
  std::vector<Tensor> result;
  for (const auto* list : lists) result.insert(result.end(), list->begin(), list->end());
  return result;
}

Shape with_time(std::int64_t length, const Shape& shape) {
  Shape result{length};
  result.insert(result.end(), shape.begin(), shape.end());
  return result;
}

}  // namespace

std::vector<Tensor> ScanBody::inputs() const { return joined({&carry, &slices, &constants}); }
std::vector<Tensor> ScanBody::outputs() const { return joined({&next, &stacked, &summed}); }

ScanLayout::ScanLayout(const ScanBody& body) {
  auto place = [&](std::vector<std::int64_t>& starts, const std::vector<Tensor>& values, std::int64_t times) {
    for (const Tensor& value : values) {
      starts.push_back(size);
      size += times * element_count(value.shape());
    }
  };
  place(states, body.next, body.length + 1);
  place(stacked, body.stacked, body.length);
  place(summed, body.summed, 1);
}

ScanParts parts_of(const ScanBody& body, const Tensor& flat) {
  const ScanLayout layout(body);
  auto part = [&](std::int64_t first, const Shape& shape) {
    return reshape(slice(flat, {first}, {first + element_count(shape)}), shape);
  };
  ScanParts parts;
  for (std::size_t i = 0; i < body.next.size(); ++i)
    parts.states.push_back(part(layout.states[i], with_time(body.length + 1, body.next[i].shape())));
  for (std::size_t i = 0; i < body.stacked.size(); ++i)
    parts.stacked.push_back(part(layout.stacked[i], with_time(body.length, body.stacked[i].shape())));
  for (std::size_t i = 0; i < body.summed.size(); ++i)
    parts.summed.push_back(part(layout.summed[i], body.summed[i].shape()));
  return parts;
}

std::string to_text(const ScanBody& body) {
  return fmt::format("{} steps{}", body.length, body.reverse ? " from the end" : "");
}

}  // namespace lopt
