#pragma once
// What tasks on text ask of their datasets: {"text": int32 [n, length + 1]}, a character more than is predicted.

#include <lopt/plugin.h>

#include <cmath>

namespace lopt {

/// Different characters: one more than the largest number.
inline std::int64_t alphabet_of(const Dataset& dataset) { return dataset.range("text").most + 1; }
/// Characters that are read and predicted.
inline std::int64_t length_of(const Dataset& dataset) { return dataset.example_types()["text"].leaf().shape[0] - 1; }

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
