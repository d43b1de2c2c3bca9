#include "data/batch.h"

#include <fmt/format.h>

#include <cstring>

namespace lopt {

void gather_examples(const std::vector<Array>& examples, std::span<const std::int32_t> indices,
                     std::vector<Array>& batch) {
  for (std::size_t leaf = 0; leaf < examples.size(); ++leaf) {
    const auto count = static_cast<std::int32_t>(examples[leaf].shape()[0]);
    const std::size_t width = examples[leaf].size() / static_cast<std::size_t>(count) * 4;
    auto* to = static_cast<std::byte*>(batch[leaf].mutable_data());
    const auto* from = static_cast<const std::byte*>(examples[leaf].data());
    for (std::int32_t index : indices) {
      if (index < 0 || index >= count)
        throw DataError(fmt::format("the dataset asks for example {} of {}", index, count));
      std::memcpy(to, from + static_cast<std::size_t>(index) * width, width);
      to += width;
    }
  }
}

Values first_batch(const Batches& batches, HostKey key) {
  const Values& examples = batches.dataset->examples(Split::train);
  std::vector<std::int32_t> indices(static_cast<std::size_t>(batches.size));
  batches.dataset->batch(key, 0, 0, indices);
  std::vector<Array> batch;
  for (const Array& rows : examples.leaves()) {
    Type type = rows.type();
    type.shape[0] = batches.size;
    batch.emplace_back(type);
  }
  gather_examples(examples.leaves(), indices, batch);
  return examples.with_leaves<Array>(batch);
}

}  // namespace lopt
