#include "data/validation_split.h"

#include "data/batch.h"

#include <fmt/format.h>

#include <cmath>
#include <numeric>

namespace lopt {
namespace {

constexpr std::uint64_t split_seed = 0x73706c6974;      // "split"
constexpr std::uint32_t validation_order = 0x76616c69;  // "vali"

Values rows_of(const Values& examples, std::span<const std::int32_t> indices) {
  std::vector<Array> rows;
  for (const Array& leaf : examples.leaves()) {
    Type type = leaf.type();
    type.shape[0] = std::ssize(indices);
    rows.emplace_back(type);
  }
  gather_examples(examples.leaves(), indices, rows);
  return examples.with_leaves<Array>(rows);
}

}  // namespace

ValidationSplit::ValidationSplit(std::shared_ptr<const Dataset> dataset, double share, int batch_size)
    : dataset_(std::move(dataset)) {
  const Values& all = dataset_->examples(Split::train);
  const auto count = static_cast<std::int32_t>(all.leaves().front().shape()[0]);
  const auto apart = static_cast<std::int32_t>(std::lround(share * count));
  if (apart < batch_size || count - apart < batch_size)
    throw DataError(fmt::format(
        "meta_objective sets {} of {} training examples apart; validation and training want at least a batch "
        "of {} each",
        apart, count, batch_size));
  const Array order = permutation(HostKey::from_seed(split_seed), count);
  const auto indices = order.values<std::int32_t>();
  const auto train = static_cast<std::size_t>(count - apart);
  train_ = rows_of(all, indices.first(train));
  validation_ = rows_of(all, indices.subspan(train));
}

void ValidationSplit::validation_batch(HostKey key, std::uint32_t stream, std::int64_t step,
                                       std::span<std::int32_t> indices) const {
  random_batch(fold_in(key, validation_order), stream, step, validation_.leaves().front().shape()[0], indices);
}

}  // namespace lopt
