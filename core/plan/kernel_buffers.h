#pragma once
// Which buffers the kernels of a plan read, and which they write.

#include "plan/plan.h"

namespace lopt {

/// Columns of the rows that a load reads one after the other; 0 where it does not.
std::int64_t columns_of_load(const TileInstruction& load);
/// Calls read(buffer, columns) and write(buffer, columns) for each buffer that an instruction of a region touches, some
/// more than once. `columns`: what it touches for row r is elements [r · columns, (r + 1) · columns); 0: it is not so.
template <class Read, class Write>
void for_touched(const TileInstruction& i, Read read, Write write) {
  using Kind = TileInstruction::Kind;
  if (i.kind == Kind::load) read(i.buffer, columns_of_load(i));
  if (i.kind == Kind::store || i.to_memory) write(i.buffer, i.to_memory ? 1 : i.columns);
  for (const BufferId sum : sums_of(i)) write(sum, std::int64_t{0});
  for_operands(i, [&](const TileOperand& o) {
    const bool one_column = i.columns == 1 || o.step == 0 || !i.layers.empty() || i.kind == Kind::outer;
    const bool by_row = o.kind == TileOperand::Kind::stream && o.first == 0 && one_column;
    if (is_in_buffer(o)) read(o.buffer, std::int64_t{by_row});
  });
  for (const DenseLayer& layer : i.layers) {
    read(layer.weights, std::int64_t{0});
    if (layer.has_bias) read(layer.bias.buffer, std::int64_t{0});
  }
}
/// The buffers that a region reads or writes, some more than once.
std::vector<BufferId> buffers_of(const Region& region);

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
