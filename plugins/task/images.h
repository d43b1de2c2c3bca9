#pragma once
// What tasks on images ask of their datasets.

#include <lopt/plugin.h>

#include <cmath>

namespace lopt {

/// The type of an image. Refuses data where there is none, or one that is no float32.
inline Type image_type(const Dataset& dataset, const std::string& task) {
  Type type = array_type(dataset, "image", "the task " + task);
  if (type.dtype == DType::float32) return type;
  refuse_data(dataset, "has images of " + std::string(name_of(type.dtype)) + "; the task " + task + " wants float32");
}
/// Numbers of an image.
inline std::int64_t pixels_of(const Dataset& dataset, const std::string& task) {
  return element_count(image_type(dataset, task).shape);
}

/// [height, width, channels] of the images. What is flat is taken as square, of one channel or of three. Throws
/// DataError where it is not.
inline Shape image_shape(const Dataset& dataset, const std::string& task) {
  const Shape shape = image_type(dataset, task).shape;
  if (shape.size() == 3) return shape;
  if (shape.size() == 2) return {shape[0], shape[1], 1};
  const std::int64_t pixels = element_count(shape);
  for (const std::int64_t channels : {1, 3}) {
    const std::int64_t in_channel = pixels / channels;
    const auto side = static_cast<std::int64_t>(std::lround(std::sqrt(static_cast<double>(in_channel))));
    if (side * side * channels == pixels) return {side, side, channels};
  }
  refuse_data(dataset,
              "has images of " + std::to_string(pixels) +
                  " numbers, which are no square of one channel or three; give them as [n, height, width, channels]");
}

/// Refuses data where there are no labels, or one is beyond the classes.
inline void check_labels(const Dataset& dataset, std::int64_t classes, const std::string& task) {
  const Type type = array_type(dataset, "label", "the task " + task);
  if (type != Type{DType::int32, {}})
    refuse_data(dataset, "has labels that are " + to_text(type) + " each; the task " + task + " wants one int32");
  const Dataset::Range labels = dataset.range("label");
  if (labels.least >= 0 && labels.most < classes) return;
  const std::string source = dataset.source();
  throw DataError("the dataset" + (source.empty() ? "" : " of " + source) + " has the label " +
                  std::to_string(labels.least < 0 ? labels.least : labels.most) + ", but the task " + task + " has " +
                  std::to_string(classes) + " classes (0 to " + std::to_string(classes - 1) + ")");
}

}  // namespace lopt
