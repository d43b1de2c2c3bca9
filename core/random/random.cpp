#include <lopt/random.h>

#include "kernels/kernels.h"
#include "random/threefry.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>
#include <stdexcept>

namespace lopt {

std::vector<HostKey> split(HostKey key, int count) {
  std::vector<HostKey> result;
  for (int i = 0; i < count; ++i) result.push_back(threefry(key, 0, static_cast<std::uint32_t>(i)));
  return result;
}

HostKey fold_in(HostKey key, std::uint32_t data) { return threefry(key, 0, data); }

Array random_bits(HostKey key, const Shape& shape) {
  Array result(DType::uint32, shape);
  kernels::random_bits(key.high, key.low, result.mutable_values<std::uint32_t>().data(), result.size());
  return result;
}

namespace {
/// f of each word of random bits.
template <class T, class Function>
Array from_bits(HostKey key, const Shape& shape, Function f) {
  Array bits = random_bits(key, shape), result(dtype_of<T>, shape);
  auto from = bits.values<std::uint32_t>();
  auto to = result.mutable_values<T>();
  std::transform(from.begin(), from.end(), to.begin(), f);
  return result;
}
float between(std::uint32_t bits, float low, float high) {
  const float fraction = std::bit_cast<float>((bits >> 9U) | 0x3f800000U) - 1.0F;
  return std::max(low, std::fma(fraction, high - low, low));
}
}  // namespace

Array uniform(HostKey key, const Shape& shape, float low, float high) {
  return from_bits<float>(key, shape, [=](std::uint32_t bits) { return between(bits, low, high); });
}

Array normal(HostKey key, const Shape& shape) {
  Array result(DType::float32, shape);
  kernels::random_normal(key.high, key.low, result.mutable_values<float>().data(), result.size());
  return result;
}

Array randint(HostKey key, const Shape& shape, std::int32_t low, std::int32_t high) {
  if (high <= low)
    throw std::invalid_argument("randint: nothing between " + std::to_string(low) + " and " + std::to_string(high));
  const std::vector<HostKey> keys = split(key);
  const std::uint32_t span = static_cast<std::uint32_t>(high) - static_cast<std::uint32_t>(low);
  const std::uint32_t square_root = (1U << 16U) % span, multiplier = square_root * square_root % span;
  Array upper = random_bits(keys[0], shape), lower = random_bits(keys[1], shape), result(DType::int32, shape);
  auto to = result.mutable_values<std::int32_t>();
  for (std::size_t i = 0; i < to.size(); ++i) {
    const std::uint32_t offset =
        (upper.values<std::uint32_t>()[i] % span * multiplier + lower.values<std::uint32_t>()[i] % span) % span;
    to[i] = static_cast<std::int32_t>(static_cast<std::uint32_t>(low) + offset);
  }
  return result;
}

// Sorted by random keys, as often as makes equal keys improbable.
Array permutation(HostKey key, std::int32_t n) {
  std::vector<std::int32_t> order(static_cast<std::size_t>(std::max(n, 0)));
  std::iota(order.begin(), order.end(), 0);
  const int rounds =
      n > 1 ? static_cast<int>(std::ceil(3 * std::log(static_cast<double>(n)) / std::log(4294967295.0))) : 0;
  for (int round = 0; round < rounds; ++round) {
    const std::vector<HostKey> keys = split(key);
    key = keys[0];
    Array bits = random_bits(keys[1], {n});
    auto sort_keys = bits.values<std::uint32_t>();
    std::vector<std::size_t> places(order.size());
    std::iota(places.begin(), places.end(), std::size_t{0});
    std::stable_sort(places.begin(), places.end(),
                     [&](std::size_t a, std::size_t b) { return sort_keys[a] < sort_keys[b]; });
    std::vector<std::int32_t> next(order.size());
    std::transform(places.begin(), places.end(), next.begin(), [&](std::size_t place) { return order[place]; });
    order = std::move(next);
  }
  return Array({n}, order);
}

Values normal_like(HostKey key, const Values& tree, float standard_deviation) {
  std::uint32_t leaf = 0;
  return map(
      [&](const Array& array) {
        Array noise = normal(fold_in(key, leaf++), array.shape());
        for (float& x : noise.mutable_values<float>()) x *= standard_deviation;
        return noise;
      },
      tree);
}

Array to_array(HostKey key) { return Array({2}, std::vector<std::uint32_t>{key.high, key.low}); }
HostKey to_key(const Array& array) {
  if (array.size() != 2) throw std::invalid_argument("a key has two words");
  return {array.values<std::uint32_t>()[0], array.values<std::uint32_t>()[1]};
}

}  // namespace lopt
