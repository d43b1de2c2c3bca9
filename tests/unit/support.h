#pragma once
// What the unit tests share.

#include "data/npz.h"
#include "execute/executor.h"
#include "execute/reference.h"

#include <lopt/random.h>

#include <bit>
#include <cmath>
#include <limits>
#include <cstdlib>
#include <random>

namespace lopt::test {

inline Values golden(const std::string& name) { return read_npz(std::string(LOPT_GOLDEN) + "/" + name + ".npz"); }

/// Largest difference of two arrays, relative to the largest element of the second, or to 1 where that is smaller:
/// round-off of a sum is relative to its terms, not to what is left of them. NaN equals NaN, infinity itself.
inline double difference(const Array& a, const Array& b) {
  if (a.type() != b.type()) return INFINITY;
  if (a.dtype() != DType::float32) return a == b ? 0 : INFINITY;
  double scale = 1, worst = 0;
  for (float y : b.values<float>())
    if (std::isfinite(y)) scale = std::max(scale, static_cast<double>(std::abs(y)));
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double x = static_cast<double>(a.values<float>()[i]), y = static_cast<double>(b.values<float>()[i]);
    if ((std::isnan(x) && std::isnan(y)) || x == y) continue;
    const double error = std::abs(x - y) / scale;
    if (std::isnan(error)) return INFINITY;
    worst = std::max(worst, error);
  }
  return worst;
}

/// Distance in units in the last place.
inline std::int64_t ulps(float a, float b) {
  if (a == b || (std::isnan(a) && std::isnan(b))) return 0;
  auto ordered = [](float x) {
    const auto bits = std::bit_cast<std::int32_t>(x);
    return bits < 0 ? std::int64_t{std::numeric_limits<std::int32_t>::min()} - bits : std::int64_t{bits};
  };
  return std::abs(ordered(a) - ordered(b));
}

/// An array of random elements: real numbers in [low, high), integers in [low, high), any bool.
inline Array random_array(std::mt19937& random, const Type& type, double low = -2, double high = 2) {
  Array array(type);
  std::uniform_real_distribution<double> real(low, high);
  for (std::size_t i = 0; i < array.size(); ++i) {
    if (type.dtype == DType::float32)
      array.mutable_values<float>()[i] = static_cast<float>(real(random));
    else if (type.dtype == DType::int32)
      array.mutable_values<std::int32_t>()[i] = static_cast<std::int32_t>(std::floor(real(random)));
    else if (type.dtype == DType::boolean)
      array.mutable_values<std::uint32_t>()[i] = random() & 1U;
    else
      array.mutable_values<std::uint32_t>()[i] = static_cast<std::uint32_t>(random());
  }
  return array;
}

inline std::vector<double> as_doubles(const Array& array) {
  std::vector<double> result;
  for (std::size_t i = 0; i < array.size(); ++i)
    result.push_back(array.dtype() == DType::float32 ? static_cast<double>(array.values<float>()[i])
                     : array.dtype() == DType::int32 ? static_cast<double>(array.values<std::int32_t>()[i])
                                                     : static_cast<double>(array.values<std::uint32_t>()[i]));
  return result;
}

}  // namespace lopt::test
