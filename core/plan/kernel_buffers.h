#pragma once
// Which buffers the kernels of a plan read, and which they write.

#include "plan/plan.h"

namespace lopt {

std::vector<BufferId> reads_of(const Gemm& gemm);
std::vector<BufferId> reads_of(const Reduction& reduction);
std::vector<BufferId> reads_of(const Copies& copies);
std::vector<BufferId> reads_of(const Fill& fill);
std::vector<BufferId> reads_of(const RandomBits& random);
std::vector<BufferId> reads_of(const Scan& scan);
std::vector<BufferId> reads_of(const Fallback& fallback);

std::vector<BufferId> writes_of(const Gemm& gemm);
std::vector<BufferId> writes_of(const Copies& copies);
std::vector<BufferId> writes_of(const Scan& scan);
/// Of Reduction, Fill, RandomBits, Fallback.
template <class K>
std::vector<BufferId> writes_of(const K& kernel) {
  return {kernel.to};
}

}  // namespace lopt
