#pragma once
// Random numbers as JAX defines them (Threefry-2x32, 20 rounds; Salmon et al., 2011): the same key, the same numbers.
// There is no hidden state. A Key is a value of a traced program; a HostKey is known now.

#include <lopt/tensor.h>
#include <lopt/tree.h>

namespace lopt {

/// A key inside a traced program: a uint32 tensor of shape [2].
struct Key {
  Tensor bits;
};

std::vector<Key> split(const Key& key, int count = 2);
/// The same as one uint32 tensor [count, 2].
Tensor split_rows(const Key& key, std::int64_t count);
Key fold_in(const Key& key, std::uint32_t data);
/// uint32, all 32 bits random.
Tensor random_bits(const Key& key, const Shape& shape);
/// In [low, high).
Tensor uniform(const Key& key, const Shape& shape, double low = 0, double high = 1);
/// Of mean 0 and standard deviation 1.
Tensor normal(const Key& key, const Shape& shape);
/// int32 in [low, high).
Tensor randint(const Key& key, const Shape& shape, std::int32_t low, std::int32_t high);

/// A key that is known now.
struct HostKey {
  std::uint32_t high = 0, low = 0;
  /// JAX's PRNGKey(seed).
  static HostKey from_seed(std::uint64_t seed) {
    return {static_cast<std::uint32_t>(seed >> 32), static_cast<std::uint32_t>(seed)};
  }
  bool operator==(const HostKey&) const = default;
};

std::vector<HostKey> split(HostKey key, int count = 2);
HostKey fold_in(HostKey key, std::uint32_t data);
Array random_bits(HostKey key, const Shape& shape);
Array uniform(HostKey key, const Shape& shape, float low = 0, float high = 1);
Array normal(HostKey key, const Shape& shape);
Array randint(HostKey key, const Shape& shape, std::int32_t low, std::int32_t high);
/// int32, a random order of 0 … n − 1.
Array permutation(HostKey key, std::int32_t n);

/// Dimensions that quasi_normal() has at most.
inline constexpr std::int64_t most_quasi_dimensions = 3667;
/// float32 [count, dimensions]: points of Sobol's sequence, whose bits a random word turns for each dimension, as
/// normal numbers. Each point is N(0, I) by itself, and all of them together cover the space evenly. Throws
/// std::invalid_argument for more dimensions than there are.
Array quasi_normal(HostKey key, std::int64_t count, std::int64_t dimensions);

/// Normal noise shaped like a tree: leaf i from fold_in(key, i), times the standard deviation.
Values normal_like(HostKey key, const Values& tree, float standard_deviation);

/// The key as an array of two uint32, to keep in a state.
Array to_array(HostKey key);
HostKey to_key(const Array& array);

}  // namespace lopt
