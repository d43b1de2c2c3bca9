#include "data/validation_split.h"

#include "data/batch.h"

#include "kernels/kernels.h"
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
kernels::RandomOrder random_order(HostKey key, std::uint32_t n) {
  int bits = 2;
  while ((std::uint64_t{1} << bits) < n) ++bits;
  const HostKey a = threefry(key, 0, 0), b = threefry(key, 0, 1);
  return {n, bits / 2, bits - bits / 2, {a.high, a.low, b.high, b.low}};
}

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

namespace {
Array integers(const Values& examples, const std::string& name) {
  if (!examples.contains(name) || !examples[name].is_leaf() || examples[name].leaf().dtype() != DType::int32)
    throw DataError(fmt::format("the dataset has no array '{}' of int32", name));
  return examples[name].leaf();
}
}  // namespace

Dataset::Range Dataset::range(const std::string& name) const {
  Range range;
  for (const Split split : {Split::train, Split::test}) {
    Array all;
    try {
      all = integers(examples(split), name);
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
    const kernels::RandomOrder order =
        random_order(fold_in(stream_key, static_cast<std::uint32_t>(place / count)), count);
    const auto within = static_cast<std::uint32_t>(place % count);
    const std::size_t here = std::min<std::size_t>(indices.size() - i, count - within);
    kernels::random_order(order, within, &indices[i], here);
    place += here;
    i += here;
  }
}

}  // namespace lopt
