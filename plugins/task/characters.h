#pragma once
// What tasks on text ask of their datasets: {"text": int32 [n, length + 1]}, a character more than is predicted.

#include <lopt/plugin.h>

#include <cmath>

namespace lopt {

/// Different characters: one more than the largest number.
inline std::int64_t alphabet_of(const Dataset& dataset) {
  const Type type = array_type(dataset, "text", "a task on text");
  if (type.dtype != DType::int32 || type.shape.size() != 1 || type.shape[0] < 2)
    refuse_data(dataset, "has texts that are " + to_text(type) + " each; a task on text wants int32 [length + 1]");
  const Dataset::Range characters = dataset.range("text");
  if (characters.least < 0)
    refuse_data(dataset, "has the character " + std::to_string(characters.least) + "; they count from 0");
  return characters.most + 1;
}
/// Characters that are read and predicted.
inline std::int64_t length_of(const Dataset& dataset) {
  return array_type(dataset, "text", "a task on text").shape.at(0) - 1;
}

/// The characters that are read, [n, length], and those that follow them.
struct ReadAndNext {
  Tensor read, next;
};
inline ReadAndNext read_and_next(const Tree& batch) {
  const Tensor text = batch["text"];
  const std::int64_t n = text.dim(0), length = text.dim(1) - 1;
  return {slice(text, {0, 0}, {n, length}), slice(text, {0, 1}, {n, length + 1})};
}

/// Bits a character, from a loss in nats.
inline Metric bits_a_character(const Tensor& loss) { return {"bits_a_character", loss * (1 / std::log(2.0))}; }

}  // namespace lopt
