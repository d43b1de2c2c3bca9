#include "data/validation_split.h"

#include "data/batch.h"

#include "random/threefry.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <numeric>

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
  random_batch(key, stream, step, count(Split::train), indices);
}

std::int64_t Dataset::count(Split split) const { return examples(split).leaves().front().shape()[0]; }

Types Dataset::example_types() const {
  return map(
      [](const Array& all) {
        Type type = all.type();
        type.shape.erase(type.shape.begin());
        return type;
      },
      examples(Split::train));
}

void Dataset::rows(Split split, std::span<const std::int32_t> indices, std::vector<Array>& batch) const {
  const std::vector<Array> all = examples(split).leaves();
  for (std::size_t leaf = 0; leaf < all.size(); ++leaf) {
    const auto examples = static_cast<std::int32_t>(all[leaf].shape()[0]);
    const std::size_t width = all[leaf].size() / static_cast<std::size_t>(examples) * 4;
    auto* to = static_cast<std::byte*>(batch[leaf].mutable_data());
    const auto* from = static_cast<const std::byte*>(all[leaf].data());
    for (const std::int32_t index : indices) {
      if (index < 0 || index >= examples)
        throw DataError(fmt::format("the dataset asks for example {} of {}", index, examples));
      std::memcpy(to, from + static_cast<std::size_t>(index) * width, width);
      to += width;
    }
  }
}

Dataset::Range Dataset::range(const std::string& name) const {
  Range range;
  for (const Split split : {Split::train, Split::test}) {
    Array all;
    try {
      all = examples(split)[name];
    } catch (const DataError&) {
      if (split == Split::train) throw;
      continue;  // who has nothing to test with may train; what is wrong is said where test data is asked for
    }
    if (all.size() == 0) continue;
    const auto [least, most] = std::ranges::minmax(all.values<std::int32_t>());
    range = range.most < range.least
                ? Range{least, most}
                : Range{std::min<std::int64_t>(range.least, least), std::max<std::int64_t>(range.most, most)};
  }
  return range;
}

const Values& OnDemandDataset::examples(Split split) const {
  const std::lock_guard lock(mutex_);
  Values& all = all_[static_cast<std::size_t>(split)];
  if (!all.entries().empty()) return all;
  std::vector<std::int32_t> indices(static_cast<std::size_t>(count(split)));
  std::iota(indices.begin(), indices.end(), 0);
  std::vector<Array> arrays = batch_arrays(example_types(), std::ssize(indices));
  rows(split, indices, arrays);
  return all = example_types().with_leaves<Array>(arrays);
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
