#include "plan/kernel_buffers.h"

namespace lopt {

std::int64_t columns_of_load(const TileInstruction& load) {
  const auto columns = static_cast<std::int64_t>(load.offsets.size());
  for (std::int64_t c = 0; c < columns; ++c)
    if (load.offsets[static_cast<std::size_t>(c)] != c) return 0;
  std::int64_t stride = columns;
  for (std::size_t k = load.rows.lengths.size(); k-- > 0; stride *= load.rows.lengths[k])
    if (load.rows.strides[k] != stride) return 0;
  return columns;
}

std::vector<BufferId> buffers_of(const Region& region) {
  std::vector<BufferId> result;
  const auto add = [&](BufferId buffer, std::int64_t) { result.push_back(buffer); };
  for (const TileInstruction& i : region.instructions) for_touched(i, add, add);
  return result;
}

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
