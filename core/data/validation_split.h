#pragma once
// Training examples that are set apart: any dataset becomes one of three splits that share no example.

#include <lopt/dataset.h>

namespace lopt {

/// A dataset without a share of its training examples, and these. Which they are does not depend on any seed.
class ValidationSplit final : public Dataset {
 public:
  /// `share` of the training examples, in (0, 1), are the validation split. Throws DataError where either part is
  /// smaller than a batch of `batch_size`. Batches come in the default order, whatever order the dataset has for its
  /// own.
  ValidationSplit(std::shared_ptr<const Dataset> dataset, double share, int batch_size);

  const Values& examples(Split split) const override {
    return split == Split::train ? train_ : dataset_->examples(split);
  }
  const Values& validation() const { return validation_; }
  /// As batch(), of the validation split.
  void validation_batch(HostKey key, std::uint32_t stream, std::int64_t step, std::span<std::int32_t> indices) const;

 private:
  std::shared_ptr<const Dataset> dataset_;
  Values train_, validation_;
};

/// Batch `step` of a stream of endless passes over `count` examples, each in a random order of its own.
void random_batch(HostKey key, std::uint32_t stream, std::int64_t step, std::int64_t count,
                  std::span<std::int32_t> indices);

}  // namespace lopt
