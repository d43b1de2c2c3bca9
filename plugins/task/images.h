#pragma once
// What tasks on images ask of their datasets.

#include <lopt/plugin.h>

#include <cmath>

namespace lopt {

/// Numbers of an image.
inline std::int64_t pixels_of(const Dataset& dataset) {
  const Array image = dataset.examples(Split::train)["image"];
  return static_cast<std::int64_t>(image.size()) / image.shape()[0];
}

/// [height, width, channels] of the images. What is flat is taken as square, of one channel or of three. Throws
/// DataError where it is not.
inline Shape image_shape(const Dataset& dataset) {
  const Array image = dataset.examples(Split::train)["image"];
  Shape shape(image.shape().begin() + 1, image.shape().end());
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
  const Array label = dataset.examples(Split::train)["label"];
  for (const std::int32_t y : label.values<std::int32_t>())
    if (y < 0 || y >= classes)
      throw DataError("the dataset has the label " + std::to_string(y) + ", but the task " + task + " has " +
                      std::to_string(classes) + " classes (0 to " + std::to_string(classes - 1) + ")");
}

}  // namespace lopt
