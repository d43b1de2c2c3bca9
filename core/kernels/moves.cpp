// SIMD kernels that move elements.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/moves.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include "kernels/kernels.h"
#include "kernels/transpose-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lopt::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

void transpose(const std::uint32_t* from, std::ptrdiff_t from_row, std::uint32_t* to, std::ptrdiff_t to_row,
               std::size_t rows, std::size_t columns) {
  const auto row = [&](std::size_t r) { return from + static_cast<std::ptrdiff_t>(r) * from_row; };
  const auto column = [&](std::size_t c) { return to + static_cast<std::ptrdiff_t>(c) * to_row; };
  // So many rows at a time that what a block leaves of a cache line is there for the next.
  constexpr std::size_t together = 64;
  const std::size_t whole_rows = rows / block_size * block_size, whole_columns = columns / block_size * block_size;
  for (std::size_t first = 0; first < whole_rows; first += together)
    for (std::size_t c = 0; c < whole_columns; c += block_size)
      for (std::size_t r = first; r < std::min(first + together, whole_rows); r += block_size)
        transpose_block([&](std::size_t i) { return row(r + i) + c; },
                        [&](std::size_t i) { return column(c + i) + r; });
  for (std::size_t c = 0; c < columns; ++c)
    for (std::size_t r = c < whole_columns ? whole_rows : 0; r < rows; ++r) column(c)[r] = row(r)[c];
}

template <bool repeated>
void fill_runs_of(const std::uint32_t* from, std::ptrdiff_t stride, std::size_t length, std::size_t start,
                  std::uint32_t* to, std::size_t rows) {
  const hn::ScalableTag<std::uint32_t> d;
  const std::size_t lanes = hn::Lanes(d);
  if (length % lanes == 0 && start % lanes == 0) {  // columns have room for whole vectors
    for (std::size_t done = 0; done < rows; from += stride, start = 0) {
      const auto same = hn::Set(d, *from);
      for (std::size_t k = start; k < length && done < rows; k += lanes, done += lanes)
        hn::StoreU(repeated ? same : hn::LoadU(d, from + k), d, to + done);
    }
    return;
  }
  for (std::size_t done = 0; done < rows; from += stride, start = 0) {
    const std::size_t count = HWY_MIN(length - start, rows - done);
    const std::uint32_t* run = from + start;
    // Whole vectors, whose ends the next run writes over; not where they would reach beyond the rows.
    if (done + count + lanes <= rows) {
      const auto same = hn::Set(d, *from);
      for (std::size_t k = 0; k < count; k += lanes)
        hn::StoreU(repeated ? same : hn::LoadU(d, run + k), d, to + done + k);
    } else {
      for (std::size_t k = 0; k < count; ++k) to[done + k] = repeated ? *from : run[k];
    }
    done += count;
  }
}
void fill_runs(const std::uint32_t* from, std::ptrdiff_t stride, std::size_t length, std::size_t start, bool repeated,
               std::uint32_t* to, std::size_t rows) {
  if (repeated)
    fill_runs_of<true>(from, stride, length, start, to, rows);
  else
    fill_runs_of<false>(from, stride, length, start, to, rows);
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
HWY_EXPORT(fill_runs);
void fill_runs(const std::uint32_t* from, std::ptrdiff_t stride, std::size_t length, std::size_t start, bool repeated,
               std::uint32_t* to, std::size_t rows) {
  HWY_DYNAMIC_DISPATCH(fill_runs)(from, stride, length, start, repeated, to, rows);
}
HWY_EXPORT(stream);
HWY_EXPORT(finish_streams);
void stream(const std::uint32_t* from, std::uint32_t* to, std::size_t n) { HWY_DYNAMIC_DISPATCH(stream)(from, to, n); }
void finish_streams() { HWY_DYNAMIC_DISPATCH(finish_streams)(); }
}  // namespace lopt::kernels
#endif
