#include "labels.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <sstream>

namespace lopt {
namespace {

/// Any number of an array, as it is in the file.
double number(const Array& array, std::size_t i) {
  if (array.dtype() == DType::float32) return static_cast<double>(array.values<float>()[i]);
  if (array.dtype() == DType::int32) return array.values<std::int32_t>()[i];
  return array.values<std::uint32_t>()[i];
}

std::string text_of(double number, StoredArray::Kind kind) {
  if (kind == StoredArray::Kind::boolean) return number == 0 ? "false" : "true";
  return std::to_string(static_cast<std::int64_t>(number));
}

/// The places of the ones, where each row has one among zeros.
std::optional<std::vector<std::string>> ones_of(const StoredArray& array) {
  if (array.shape.size() != 2 || array.shape[1] < 2 || array.kind == StoredArray::Kind::text) return std::nullopt;
  const auto width = static_cast<std::size_t>(array.shape[1]);
  std::vector<std::string> labels;
  for (std::size_t row = 0; row < static_cast<std::size_t>(array.shape[0]); ++row) {
    std::optional<std::size_t> place;
    for (std::size_t k = 0; k < width; ++k) {
      const double x = number(array.numbers, row * width + k);
      if (x == 0) continue;
      if (x != 1 || place) return std::nullopt;
      place = k;
    }
    if (!place) return std::nullopt;
    labels.push_back(std::to_string(*place));
  }
  return labels;
}

}  // namespace

std::optional<std::vector<std::string>> labels_of(const StoredArray& array, std::string& why) {
  const Shape& shape = array.shape;
  if (auto ones = ones_of(array)) return ones;
  if (shape.size() != 1 && !(shape.size() == 2 && shape[1] == 1)) {
    why = "has the shape " + to_text(shape) + "; labels are [n], [n, 1], or rows with one 1 among zeros";
    return std::nullopt;
  }
  if (array.kind == StoredArray::Kind::text) return array.texts;
  std::vector<std::string> labels(array.numbers.size());
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const double x = number(array.numbers, i);
    if (std::isnan(x)) continue;
    if (x != std::round(x) || std::abs(x) > 1e9) {
      std::ostringstream text;
      text << "has the label " << x << " in row " << i << "; labels are whole numbers, bool or text";
      why = text.str();
      return std::nullopt;
    }
    labels[i] = text_of(x, array.kind);
  }
  return labels;
}

bool holds_classes(const StoredArray& array) {
  using Kind = StoredArray::Kind;
  std::string why;
  if (array.kind == Kind::boolean || array.kind == Kind::text || ones_of(array)) return true;
  const auto labels = labels_of(array, why);
  if (!labels) return false;
  const std::size_t different = std::set<std::string>(labels->begin(), labels->end()).size(), rows = labels->size();
  return array.kind == Kind::real ? different <= std::min<std::size_t>(100, rows / 2)
                                  : different <= 20 || different <= std::min<std::size_t>(1000, rows / 4);
}

}  // namespace lopt
