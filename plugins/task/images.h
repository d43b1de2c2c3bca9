#pragma once
// What tasks on images ask of their datasets.

#include <lopt/plugin.h>

#include <cmath>

namespace lopt {

/// Numbers of an image.
inline std::int64_t pixels_of(const Dataset& dataset) {
  return element_count(dataset.example_types()["image"].leaf().shape);
}

/// [height, width, channels] of the images. What is flat is taken as square, of one channel or of three. Throws
/// DataError where it is not.
inline Shape image_shape(const Dataset& dataset) {
  const Shape shape = dataset.example_types()["image"].leaf().shape;
  if (shape.size() == 3) return shape;
  if (shape.size() == 2) return {shape[0], shape[1], 1};
  const std::int64_t pixels = pixels_of(dataset);
  for (const std::int64_t channels : {1, 3}) {
    const auto side = static_cast<std::int64_t>(std::lround(std::sqrt(static_cast<double>(pixels / channels))));
    if (side * side * channels == pixels) return {side, side, channels};
  }
  throw DataError("the dataset's images have " + std::to_string(pixels) +
                  " numbers, which are no square of one channel or three; give them as [n, height, width, channels]");
}

/// Throws DataError for a label beyond the classes.
inline void check_labels(const Dataset& dataset, std::int64_t classes, const std::string& task) {
  const Dataset::Range labels = dataset.range("label");
  if (labels.least >= 0 && labels.most < classes) return;
  throw DataError("the dataset has the label " + std::to_string(labels.least < 0 ? labels.least : labels.most) +
                  ", but the task " + task + " has " + std::to_string(classes) + " classes (0 to " +
                  std::to_string(classes - 1) + ")");
}

}  // namespace lopt
