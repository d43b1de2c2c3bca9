#include "data/batch.h"

namespace lopt {

Values first_batch(const Batches& batches, HostKey key) {
  std::vector<std::int32_t> indices(static_cast<std::size_t>(batches.size));
  batches.dataset->batch(key, 0, 0, indices);
  const Types example = batches.dataset->example_types();
  std::vector<Array> batch = batch_arrays(example, batches.size);
  batches.dataset->rows(Split::train, indices, batch);
  return example.with_leaves<Array>(batch);
}

std::vector<Array> batch_arrays(const Types& example, std::int64_t size) {
  std::vector<Array> arrays;
  for (Type type : example.leaves()) {
    type.shape.insert(type.shape.begin(), size);
    arrays.emplace_back(type);
  }
  return arrays;
}

}  // namespace lopt
