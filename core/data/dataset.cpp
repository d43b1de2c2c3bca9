#include "data/validation_split.h"

#include "random/threefry.h"

namespace lopt {
namespace {

/// A random order of 0 … n − 1 that can be asked for any place at once: a Feistel network of four rounds on as many
/// bits as n needs, repeated until the result is below n (Black and Rogaway, Ciphers with arbitrary finite domains,
/// 2002).
class RandomOrder {
 public:
  RandomOrder(HostKey key, std::uint32_t n) : n_(n) {
    int bits = 2;
    while ((std::uint64_t{1} << bits) < n) ++bits;
    low_bits_ = bits / 2;
    high_bits_ = bits - low_bits_;
    const HostKey a = threefry(key, 0, 0), b = threefry(key, 0, 1);
    round_keys_[0] = a.high;
    round_keys_[1] = a.low;
    round_keys_[2] = b.high;
    round_keys_[3] = b.low;
  }

  std::uint32_t at(std::uint32_t place) const {
    const std::uint32_t low_mask = (1U << low_bits_) - 1, high_mask = (1U << high_bits_) - 1;
    do {
      std::uint32_t high = place >> low_bits_, low = place & low_mask;
      high ^= mixed(low ^ round_keys_[0]) & high_mask;
      low ^= mixed(high ^ round_keys_[1]) & low_mask;
      high ^= mixed(low ^ round_keys_[2]) & high_mask;
      low ^= mixed(high ^ round_keys_[3]) & low_mask;
      place = (high << low_bits_) | low;
    } while (place >= n_);
    return place;
  }

 private:
  /// A bijection that spreads each bit over all (the finalizer of MurmurHash3).
  static std::uint32_t mixed(std::uint32_t x) {
    x = (x ^ (x >> 16U)) * 0x85ebca6bU;
    x = (x ^ (x >> 13U)) * 0xc2b2ae35U;
    return x ^ (x >> 16U);
  }

  std::uint32_t n_, round_keys_[4];
  int low_bits_, high_bits_;
};

}  // namespace

void Dataset::batch(HostKey key, std::uint32_t stream, std::int64_t step, std::span<std::int32_t> indices) const {
  random_batch(key, stream, step, examples(Split::train).entries().front().second.leaf().shape()[0], indices);
}

void random_batch(HostKey key, std::uint32_t stream, std::int64_t step, std::int64_t examples,
                  std::span<std::int32_t> indices) {
  const auto count = static_cast<std::uint32_t>(examples);
  const HostKey stream_key = fold_in(key, stream);
  auto place = static_cast<std::uint64_t>(step) * indices.size();
  for (std::size_t i = 0; i < indices.size();) {
    const RandomOrder order(fold_in(stream_key, static_cast<std::uint32_t>(place / count)), count);
    for (auto within = static_cast<std::uint32_t>(place % count); within < count && i < indices.size();
         ++within, ++place, ++i)
      indices[i] = static_cast<std::int32_t>(order.at(within));
  }
}

}  // namespace lopt
