// SIMD kernels that move elements.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/moves.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include "kernels/kernels.h"

HWY_BEFORE_NAMESPACE();
namespace lopt::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using D4 = hn::CappedTag<std::uint32_t, 4>;

/// Four rows of four.
HWY_INLINE void transpose_block(const std::uint32_t* from, std::ptrdiff_t from_row, std::uint32_t* to,
                                std::ptrdiff_t to_row) {
  const D4 d;
  const hn::Repartition<std::uint64_t, D4> pairs;
  const auto a = hn::LoadU(d, from), b = hn::LoadU(d, from + from_row), c = hn::LoadU(d, from + 2 * from_row),
             e = hn::LoadU(d, from + 3 * from_row);
  const auto ab_low = hn::BitCast(pairs, hn::InterleaveLower(d, a, b)),
             ab_high = hn::BitCast(pairs, hn::InterleaveUpper(d, a, b)),
             ce_low = hn::BitCast(pairs, hn::InterleaveLower(d, c, e)),
             ce_high = hn::BitCast(pairs, hn::InterleaveUpper(d, c, e));
  hn::StoreU(hn::BitCast(d, hn::InterleaveLower(pairs, ab_low, ce_low)), d, to);
  hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(pairs, ab_low, ce_low)), d, to + to_row);
  hn::StoreU(hn::BitCast(d, hn::InterleaveLower(pairs, ab_high, ce_high)), d, to + 2 * to_row);
  hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(pairs, ab_high, ce_high)), d, to + 3 * to_row);
}

void transpose(const std::uint32_t* from, std::ptrdiff_t from_row, std::uint32_t* to, std::ptrdiff_t to_row,
               std::size_t rows, std::size_t columns) {
  const auto at = [&](std::size_t r, std::size_t c) {
    to[static_cast<std::ptrdiff_t>(c) * to_row + static_cast<std::ptrdiff_t>(r)] =
        from[static_cast<std::ptrdiff_t>(r) * from_row + static_cast<std::ptrdiff_t>(c)];
  };
  std::size_t c = 0;
  for (; c + 4 <= columns; c += 4) {
    std::size_t r = 0;
    for (; r + 4 <= rows; r += 4)
      transpose_block(from + static_cast<std::ptrdiff_t>(r) * from_row + static_cast<std::ptrdiff_t>(c), from_row,
                      to + static_cast<std::ptrdiff_t>(c) * to_row + static_cast<std::ptrdiff_t>(r), to_row);
    for (; r < rows; ++r)
      for (std::size_t k = 0; k < 4; ++k) at(r, c + k);
  }
  for (; c < columns; ++c)
    for (std::size_t r = 0; r < rows; ++r) at(r, c);
}

void stream(const std::uint32_t* from, std::uint32_t* to, std::size_t n) {
  const hn::ScalableTag<std::uint32_t> d;
  const std::size_t lanes = hn::Lanes(d);
  std::size_t k = 0;
  for (; k < n && reinterpret_cast<std::uintptr_t>(to + k) % (lanes * 4) != 0; ++k) to[k] = from[k];
  for (; k + lanes <= n; k += lanes) hn::Stream(hn::LoadU(d, from + k), d, to + k);
  for (; k < n; ++k) to[k] = from[k];
}
void finish_streams() { hwy::FlushStream(); }

}  // namespace lopt::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lopt::kernels {
HWY_EXPORT(transpose);
void transpose(const std::uint32_t* from, std::ptrdiff_t from_row, std::uint32_t* to, std::ptrdiff_t to_row,
               std::size_t rows, std::size_t columns) {
  HWY_DYNAMIC_DISPATCH(transpose)(from, from_row, to, to_row, rows, columns);
}
HWY_EXPORT(stream);
HWY_EXPORT(finish_streams);
void stream(const std::uint32_t* from, std::uint32_t* to, std::size_t n) { HWY_DYNAMIC_DISPATCH(stream)(from, to, n); }
void finish_streams() { HWY_DYNAMIC_DISPATCH(finish_streams)(); }
}  // namespace lopt::kernels
#endif
