#include "data/validation_split.h"

#include <fmt/format.h>

#include <cmath>

namespace lopt {
namespace {

constexpr std::uint64_t split_seed = 0x73706c6974;      // "split"
constexpr std::uint32_t validation_order = 0x76616c69;  // "vali"

}  // namespace

ValidationSplit::ValidationSplit(std::shared_ptr<const Dataset> dataset, double share, int batch_size)
    : dataset_(std::move(dataset)), train_count_(0) {
  const auto count = static_cast<std::int32_t>(dataset_->count(Split::train));
  const auto apart = static_cast<std::int32_t>(std::lround(share * count));
  if (apart < batch_size || count - apart < batch_size)
    throw DataError(fmt::format(
        "meta_objective sets {} of {} training examples apart; validation and training want at least a batch "
        "of {} each",
        apart, count, batch_size));
  order_ = permutation(HostKey::from_seed(split_seed), count);
  train_count_ = static_cast<std::size_t>(count - apart);
}

std::int64_t ValidationSplit::count(Split split) const {
  return split == Split::train ? static_cast<std::int64_t>(train_count_) : dataset_->count(split);
}

void ValidationSplit::rows(Split split, std::span<const std::int32_t> indices, std::vector<Array>& batch) const {
  if (split == Split::test) return dataset_->rows(split, indices, batch);
  const auto order = order_.values<std::int32_t>().first(train_count_);
  std::vector<std::int32_t> places;
  for (const std::int32_t index : indices) {
    if (index < 0 || static_cast<std::size_t>(index) >= order.size())
      throw DataError(fmt::format("the dataset asks for example {} of {}", index, order.size()));
    places.push_back(order[static_cast<std::size_t>(index)]);
  }
  dataset_->rows(Split::train, places, batch);
}

void ValidationSplit::validation_batch(HostKey key, std::uint32_t stream, std::int64_t step,
                                       std::vector<Array>& batch) const {
  const auto apart = order_.values<std::int32_t>().subspan(train_count_);
  std::vector<std::int32_t> indices(static_cast<std::size_t>(batch.front().shape()[0]));
  random_batch(fold_in(key, validation_order), stream, step, std::ssize(apart), indices);
  for (std::int32_t& index : indices) index = apart[static_cast<std::size_t>(index)];
  dataset_->rows(Split::train, indices, batch);
}

}  // namespace lopt
