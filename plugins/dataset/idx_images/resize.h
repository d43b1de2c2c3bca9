#pragma once
// Bilinear resize with half-pixel centres and without antialiasing: output pixel i samples (i + ½)·in/out − ½.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

/// Images [count, height, width] to [count, size, size].
inline std::vector<float> resize_bilinear(const std::vector<float>& images, std::size_t count, std::size_t height,
                                          std::size_t width, std::size_t size) {
  struct Sample {
    std::size_t low, high;
    float weight;  // of high
  };
  auto samples = [size](std::size_t length) {
    std::vector<Sample> result;
    for (std::size_t i = 0; i < size; ++i) {
      const float at = (static_cast<float>(i) + 0.5F) * static_cast<float>(length) / static_cast<float>(size) - 0.5F;
      const float inside = std::clamp(at, 0.0F, static_cast<float>(length - 1)), low = std::floor(inside);
      result.push_back(
          {static_cast<std::size_t>(low), std::min(static_cast<std::size_t>(low) + 1, length - 1), inside - low});
    }
    return result;
  };
  const std::vector<Sample> rows = samples(height), columns = samples(width);
  std::vector<float> result;
  result.reserve(count * size * size);
  for (std::size_t n = 0; n < count; ++n)
    for (const Sample& r : rows)
      for (const Sample& c : columns) {
        auto pixel = [&](std::size_t y, std::size_t x) { return images[(n * height + y) * width + x]; };
        const float top = pixel(r.low, c.low) * (1 - c.weight) + pixel(r.low, c.high) * c.weight;
        const float bottom = pixel(r.high, c.low) * (1 - c.weight) + pixel(r.high, c.high) * c.weight;
        result.push_back(top * (1 - r.weight) + bottom * r.weight);
      }
  return result;
}
