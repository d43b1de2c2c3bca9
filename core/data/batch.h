#pragma once
#include <lopt/task.h>

namespace lopt {

/// Arrays for `size` examples.
std::vector<Array> batch_arrays(const Types& example, std::int64_t size);

/// Batch 0 of stream 0 of the training examples.
Values first_batch(const Batches& batches, HostKey key);

}  // namespace lopt
