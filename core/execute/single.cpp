#include "execute/single.h"

#include "execute/tile.h"

#include <algorithm>
#include <cstring>

namespace lopt {

namespace {

void copy_part(const Copies::Copy& copy, const std::uint32_t* source, std::uint32_t* target) {
  const auto& [from, to, count, contiguous] = copy;
  source += from.offset;
  target += to.offset;
  if (contiguous) {
    if (target == source) return;  // in place
    if (count == 1)
      *target = *source;
    else
      std::memcpy(target, source, static_cast<std::size_t>(count) * 4);
    return;
  }
  const std::size_t inner = from.shape.size() - 1;  // a scalar is contiguous
  const std::int64_t length = from.shape[inner], step = from.strides[inner], to_step = to.strides[inner];
  if (length == 0) return;
  if (inner == 1) {
    const auto rows = static_cast<std::size_t>(from.shape[0]), columns = static_cast<std::size_t>(length);
    if (from.strides[0] == 1 && to_step == 1)
      return kernels::transpose(source, step, target, to.strides[0], columns, rows);
    if (to.strides[0] == 1 && step == 1)
      return kernels::transpose(source, from.strides[0], target, to_step, rows, columns);
  }
  for_rows(
      std::span(from.shape).first(inner), 0, count / length,
      [&](std::int64_t at, std::int64_t to_at) {
        if (step == 1 && to_step == 1) return static_cast<void>(std::copy_n(source + at, length, target + to_at));
        for (std::int64_t i = 0; i < length; ++i) target[to_at + i * to_step] = source[at + i * step];
      },
      std::span(from.strides).first(inner), std::span(to.strides).first(inner));
}

/// Rows [begin, end) of the first dimension.
Copies::Copy rows_of(const Copies::Copy& copy, std::int64_t begin, std::int64_t end) {
  Copies::Copy part = copy;
  part.elements = copy.elements / copy.from.shape[0] * (end - begin);
  for (View* view : {&part.from, &part.to}) {
    view->offset += begin * view->strides[0];
    view->shape[0] = end - begin;
  }
  return part;
}

}  // namespace

void run_copy(const Copies::Copy& copy, const std::uint32_t* source, std::uint32_t* target, BlockTeam* team) {
  constexpr std::int64_t worth_a_part = 1 << 15U;  // elements: some microseconds
  const std::int64_t rows = copy.from.shape.empty() ? 1 : copy.from.shape[0];
  const std::int64_t parts = std::min(rows, copy.elements / worth_a_part);
  if (!team || parts < 2) return copy_part(copy, source, target);
  team->run(static_cast<std::size_t>(parts), [&](std::size_t part) {
    const auto i = static_cast<std::int64_t>(part);
    copy_part(rows_of(copy, i * rows / parts, (i + 1) * rows / parts), source, target);
  });
}

namespace {
template <class T>
void reduce_integers(const Reduction& r, const T* from, T* to) {
  for (std::int64_t o = 0; o < r.outer; ++o)
    for (std::int64_t i = 0; i < r.inner; ++i) {
      const T* x = from + o * r.reduced * r.inner + i;
      T result = *x;
      for (std::int64_t k = 1; k < r.reduced; ++k) {
        const T next = x[k * r.inner];
        result = r.maximum ? std::max(result, next)
                           : static_cast<T>(static_cast<std::uint32_t>(result) + static_cast<std::uint32_t>(next));
      }
      to[o * r.inner + i] = result;
    }
}
}  // namespace

void run_reduction(const Reduction& r, const void* from, void* to) {
  const auto outer = static_cast<std::size_t>(r.outer), reduced = static_cast<std::size_t>(r.reduced),
             inner = static_cast<std::size_t>(r.inner);
  if (r.dtype == DType::float32)
    (r.maximum ? kernels::sums().reduce_max : kernels::sums().reduce_sum)(
        static_cast<const float*>(from), static_cast<float*>(to), outer, reduced, inner);
  else if (r.dtype == DType::int32)
    reduce_integers(r, static_cast<const std::int32_t*>(from), static_cast<std::int32_t*>(to));
  else
    reduce_integers(r, static_cast<const std::uint32_t*>(from), static_cast<std::uint32_t*>(to));
}

namespace {
constexpr std::size_t worth_it = 1U << 17U;  // multiplications: some 2 µs

constexpr std::size_t kernel_rows = 6;

/// As many rows for each thread; each row comes out the same whoever computes it. Of an upper part, whose rows are
/// shorter and shorter, two blocks each: the first and the last are as much work as those in the middle.
std::size_t rows_of_block(std::size_t rows, std::size_t threads, bool upper) {
  const auto up = [](std::size_t a, std::size_t b) { return (a + b - 1) / b; };
  return up(up(rows, upper ? 2 * threads : threads), kernel_rows) * kernel_rows;
}
/// f(first row, end) for blocks of rows, by the team where there is one.
template <class Function>
void for_blocks(std::size_t rows, std::size_t block, BlockTeam* team, Function f) {
  const auto run = [&](std::size_t i) { f(i * block, std::min(rows, (i + 1) * block)); };
  const std::size_t count = (rows + block - 1) / block;
  if (team) return team->run(count, run);
  for (std::size_t i = 0; i < count; ++i) run(i);
}

void run_product(const Gemm& gemm, const std::vector<void*>& pointers, const float* a, const float* b, float* c,
                 BlockTeam* team) {
  kernels::MatrixProduct product;
  product.m = static_cast<std::size_t>(gemm.a.shape[0]);
  product.n = static_cast<std::size_t>(gemm.b.shape[1]);
  product.k = static_cast<std::size_t>(gemm.b.shape[0]);
  product.a = a;
  product.a_row = gemm.a.strides[0];
  product.a_column = gemm.a.strides[1];
  product.b = b;
  product.b_row = gemm.b.strides[0];
  product.b_column = gemm.b.shape[1] > 1 ? gemm.b.strides[1] : 1;
  product.c = c;
  product.c_row = product.n;
  if (gemm.has_bias) product.bias = static_cast<const float*>(pointers[gemm.bias.buffer]) + gemm.bias.offset;
  product.relu = gemm.relu;
  if (gemm.gate) product.gate = static_cast<const float*>(pointers[gemm.gate->buffer]) + gemm.gate->offset;
  product.upper = gemm.symmetric && !gemm.has_bias && !gemm.relu && !gemm.gate;
  if (product.m < 4 * kernel_rows || product.m * product.n * product.k < worth_it) team = nullptr;
  const std::size_t block =
      team ? rows_of_block(product.m, team->threads(), product.upper) : std::max<std::size_t>(product.m, 1);
  for_blocks(product.m, block, team, [&](std::size_t first, std::size_t end) {
    kernels::MatrixProduct part = product;
    part.m = end - first;
    part.a += static_cast<std::ptrdiff_t>(first) * part.a_row;
    part.c += first * part.c_row;
    if (part.gate) part.gate += first * part.c_row;
    if (part.upper) {  // from the diagonal on
      part.n -= first;
      part.b += static_cast<std::ptrdiff_t>(first) * part.b_column;
      part.c += first;
    }
    kernels::multiply_matrices(part);
  });
  if (product.upper)
    for_blocks(product.m, block, team, [&](std::size_t first, std::size_t end) {
      kernels::copy_below_diagonal(product.c, product.n, first, end);
    });
}
}  // namespace

void run_gemm(const Gemm& gemm, const std::vector<void*>& pointers, BlockTeam* team) {
  const auto* a = static_cast<const float*>(pointers[gemm.a.buffer]) + gemm.a.offset;
  const auto* b = static_cast<const float*>(pointers[gemm.b.buffer]) + gemm.b.offset;
  auto* const c = static_cast<float*>(pointers[gemm.c]);
  if (gemm.batch.empty()) return run_product(gemm, pointers, a, b, c, team);
  const std::int64_t size = gemm.a.shape[0] * gemm.b.shape[1];
  const auto count = static_cast<std::size_t>(element_count(gemm.batch));
  const auto run_one = [&](std::size_t number) {
    const auto index = static_cast<std::int64_t>(number);
    std::int64_t left = index, a_offset = 0, b_offset = 0;
    for (std::size_t i = gemm.batch.size(); i-- > 0; left /= gemm.batch[i]) {
      a_offset += left % gemm.batch[i] * gemm.a_batch[i];
      b_offset += left % gemm.batch[i] * gemm.b_batch[i];
    }
    run_product(gemm, pointers, a + a_offset, b + b_offset, c + index * size, nullptr);
  };
  if (team && count > 1 && count * static_cast<std::size_t>(size * gemm.b.shape[0]) >= worth_it)
    return team->run(count, run_one);
  for (std::size_t i = 0; i < count; ++i) run_one(i);
}

}  // namespace lopt
