#pragma once
// Training examples that are set apart: any dataset becomes one of three splits that share no example.

#include <lopt/dataset.h>

namespace lopt {

/// A dataset without a share of its training examples, and these. Which they are does not depend on any seed.
class ValidationSplit final : public OnDemandDataset {
 public:
  /// `share` of the training examples, in (0, 1), are the validation split. Throws DataError where either part is
  /// smaller than a batch of `batch_size`. Batches come in the default order, whatever order the dataset has for its
  /// own.
  ValidationSplit(std::shared_ptr<const Dataset> dataset, double share, int batch_size);

  std::int64_t count(Split split) const override;
  Types example_types() const override { return dataset_->example_types(); }
  void rows(Split split, std::span<const std::int32_t> indices, std::vector<Array>& batch) const override;
  Range range(const std::string& name) const override { return dataset_->range(name); }
  std::string source() const override { return dataset_->source(); }
  std::vector<std::string> notes() const override { return dataset_->notes(); }

  /// Batch `step` of a stream of the validation split.
  void validation_batch(HostKey key, std::uint32_t stream, std::int64_t step, std::vector<Array>& batch) const;

 private:
  std::shared_ptr<const Dataset> dataset_;
  Array order_;  // of the training examples: those that are trained on, then those that are set apart
  std::size_t train_count_;
};

/// Batch `step` of a stream of endless passes over `count` examples, each in a random order of its own.
void random_batch(HostKey key, std::uint32_t stream, std::int64_t step, std::int64_t count,
                  std::span<std::int32_t> indices);

}  // namespace lopt
