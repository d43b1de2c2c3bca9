// Blocks of columns as rows. Included once for each SIMD level, so the guard is that of the level.
#if defined(LOPT_TRANSPOSE_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef LOPT_TRANSPOSE_INL_H
#undef LOPT_TRANSPOSE_INL_H
#else
#define LOPT_TRANSPOSE_INL_H
#endif

#include <hwy/highway.h>

#include "kernels/vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lopt::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using D4Words = hn::CappedTag<std::uint32_t, 4>;
using D8Words = hn::CappedTag<std::uint32_t, 8>;
/// Rows and columns of a block.
constexpr std::size_t block_size = HWY_MAX_BYTES >= 32 ? 8 : 4;

/// Four times four elements, within each block of 128 bits.
template <class Words>
HWY_INLINE void transpose_four(Words d, hn::Vec<Words>& a, hn::Vec<Words>& b, hn::Vec<Words>& c, hn::Vec<Words>& e) {
  const hn::Repartition<std::uint64_t, Words> pairs;
  const auto ab_low = hn::BitCast(pairs, hn::InterleaveLower(d, a, b)),
             ab_high = hn::BitCast(pairs, hn::InterleaveUpper(d, a, b)),
             ce_low = hn::BitCast(pairs, hn::InterleaveLower(d, c, e)),
             ce_high = hn::BitCast(pairs, hn::InterleaveUpper(d, c, e));
  a = hn::BitCast(d, hn::InterleaveLower(pairs, ab_low, ce_low));
  b = hn::BitCast(d, hn::InterleaveUpper(pairs, ab_low, ce_low));
  c = hn::BitCast(d, hn::InterleaveLower(pairs, ab_high, ce_high));
  e = hn::BitCast(d, hn::InterleaveUpper(pairs, ab_high, ce_high));
}

/// A block: from(i) is where its row i begins, to(j) where its column j goes.
template <class From, class To>
HWY_INLINE void transpose_block(From from, To to) {
#if HWY_MAX_BYTES >= 32
  const D8Words d;
  hn::Vec<D8Words> r0 = hn::LoadU(d, from(0)), r1 = hn::LoadU(d, from(1)), r2 = hn::LoadU(d, from(2)),
                   r3 = hn::LoadU(d, from(3)), r4 = hn::LoadU(d, from(4)), r5 = hn::LoadU(d, from(5)),
                   r6 = hn::LoadU(d, from(6)), r7 = hn::LoadU(d, from(7));
  transpose_four(d, r0, r1, r2, r3);
  transpose_four(d, r4, r5, r6, r7);
  hn::StoreU(hn::ConcatLowerLower(d, r4, r0), d, to(0));
  hn::StoreU(hn::ConcatLowerLower(d, r5, r1), d, to(1));
  hn::StoreU(hn::ConcatLowerLower(d, r6, r2), d, to(2));
  hn::StoreU(hn::ConcatLowerLower(d, r7, r3), d, to(3));
  hn::StoreU(hn::ConcatUpperUpper(d, r4, r0), d, to(4));
  hn::StoreU(hn::ConcatUpperUpper(d, r5, r1), d, to(5));
  hn::StoreU(hn::ConcatUpperUpper(d, r6, r2), d, to(6));
  hn::StoreU(hn::ConcatUpperUpper(d, r7, r3), d, to(7));
#else
  const D4Words d;
  hn::Vec<D4Words> r0 = hn::LoadU(d, from(0)), r1 = hn::LoadU(d, from(1)), r2 = hn::LoadU(d, from(2)),
                   r3 = hn::LoadU(d, from(3));
  transpose_four(d, r0, r1, r2, r3);
  hn::StoreU(r0, d, to(0));
  hn::StoreU(r1, d, to(1));
  hn::StoreU(r2, d, to(2));
  hn::StoreU(r3, d, to(3));
#endif
}

/// to[r · to_row + j] = columns[j][r]. `count`, of columns, is a multiple of block_size; of rows whole blocks are
/// written, and read.
HWY_INLINE void columns_to_rows(const float* const* columns, std::size_t count, float* to, std::size_t to_row,
                                std::size_t rows) {
  for (std::size_t r = 0; r < rows; r += block_size)
    for (std::size_t j = 0; j < count; j += block_size)
      transpose_block([&](std::size_t i) { return reinterpret_cast<const std::uint32_t*>(columns[j + i] + r); },
                      [&](std::size_t i) { return reinterpret_cast<std::uint32_t*>(to + (r + i) * to_row + j); });
}

}  // namespace lopt::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
