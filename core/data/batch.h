#pragma once
#include <lopt/task.h>

namespace lopt {

/// Copies the examples at these indices, in order, to the rows of a batch: batch leaf i from examples leaf i. Throws
/// DataError for an index that is none.
void gather_examples(const std::vector<Array>& examples, std::span<const std::int32_t> indices,
                     std::vector<Array>& batch);

/// Batch 0 of stream 0 of the training examples.
Values first_batch(const Batches& batches, HostKey key);

}  // namespace lopt
