#include "plan/kernel_buffers.h"

namespace lopt {

std::vector<BufferId> reads_of(const Gemm& gemm) {
  std::vector<BufferId> result{gemm.a.buffer, gemm.b.buffer};
  if (gemm.has_bias) result.push_back(gemm.bias.buffer);
  if (gemm.gate) result.push_back(gemm.gate->buffer);
  return result;
}
std::vector<BufferId> reads_of(const Reduction& reduction) { return {reduction.from}; }
std::vector<BufferId> reads_of(const Copies& copies) {
  std::vector<BufferId> result;
  for (const Copies::Copy& copy : copies.list) result.push_back(copy.from.buffer);
  return result;
}
std::vector<BufferId> reads_of(const Fill&) { return {}; }
std::vector<BufferId> reads_of(const RandomBits& random) { return {random.key.buffer}; }
std::vector<BufferId> reads_of(const Scan& scan) {
  std::vector<BufferId> result;
  for (const View& input : scan.inputs) result.push_back(input.buffer);
  return result;
}
std::vector<BufferId> reads_of(const Fallback& fallback) { return fallback.inputs; }

std::vector<BufferId> writes_of(const Gemm& gemm) { return {gemm.c}; }
std::vector<BufferId> writes_of(const Copies& copies) {
  std::vector<BufferId> result;
  for (const Copies::Copy& copy : copies.list) result.push_back(copy.to.buffer);
  return result;
}
std::vector<BufferId> writes_of(const Scan& scan) { return {scan.to, scan.partial}; }

}  // namespace lopt
