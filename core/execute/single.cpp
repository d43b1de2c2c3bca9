#include "execute/single.h"

#include "execute/tile.h"

#include <algorithm>
#include <cstring>

namespace lopt {

void run_copy(const Copies::Copy& copy, const std::uint32_t* source, std::uint32_t* target) {
  const auto& [from, to, count, contiguous] = copy;
  source += from.offset;
  target += to.offset;
  if (contiguous) {
    if (count == 1)
      *target = *source;
    else
      std::memcpy(target, source, static_cast<std::size_t>(count) * 4);
    return;
  }
  const std::size_t inner = from.shape.size() - 1;  // a scalar is contiguous
  const std::int64_t length = from.shape[inner], step = from.strides[inner], to_step = to.strides[inner];
  if (length == 0) return;
  if (inner == 1 && from.strides[0] == 1 && to_step == 1)
    return kernels::transpose(source, step, target, to.strides[0], static_cast<std::size_t>(length),
                              static_cast<std::size_t>(from.shape[0]));
  for_rows(
      std::span(from.shape).first(inner), 0, count / length,
      [&](std::int64_t at, std::int64_t to_at) {
        for (std::int64_t i = 0; i < length; ++i) target[to_at + i * to_step] = source[at + i * step];
      },
      std::span(from.strides).first(inner), std::span(to.strides).first(inner));
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
void run_product(const Gemm& gemm, const std::vector<void*>& pointers, const float* a, const float* b, float* c,
                 BlockTeam* team) {
  const std::int64_t k = gemm.b.shape[0], n = gemm.b.shape[1];
  std::int64_t b_row = gemm.b.strides[0];
  if (gemm.pack) {
    auto* packed = static_cast<float*>(pointers[gemm.packed]);
    if (gemm.b.strides[0] == 1)
      kernels::transpose(reinterpret_cast<const std::uint32_t*>(b), gemm.b.strides[1],
                         reinterpret_cast<std::uint32_t*>(packed), n, static_cast<std::size_t>(n),
                         static_cast<std::size_t>(k));
    else
      for (std::int64_t j = 0; j < n; ++j)
        for (std::int64_t i = 0; i < k; ++i) packed[i * n + j] = b[i * gemm.b.strides[0] + j * gemm.b.strides[1]];
    b = packed;
    b_row = n;
  }
  kernels::MatrixProduct product;
  product.m = static_cast<std::size_t>(gemm.a.shape[0]);
  product.n = static_cast<std::size_t>(n);
  product.k = static_cast<std::size_t>(k);
  product.a = a;
  product.a_row = gemm.a.strides[0];
  product.a_column = gemm.a.strides[1];
  product.b = b;
  product.b_row = b_row;
  product.c = c;
  if (gemm.has_bias) product.bias = static_cast<const float*>(pointers[gemm.bias.buffer]) + gemm.bias.offset;
  product.relu = gemm.relu;
  constexpr std::size_t kernel_rows = 6, most_rows = 96, worth_it = 1U << 17U;  // multiplications: some 2 µs
  if (!team || product.m < 4 * kernel_rows || product.m * product.n * product.k < worth_it)
    return kernels::multiply_matrices(product);
  // As many rows for each thread; each row comes out the same whoever computes it.
  const auto up = [](std::size_t a, std::size_t b) { return (a + b - 1) / b; };
  const std::size_t of_thread = up(product.m, team->threads()),
                    block = up(up(of_thread, up(of_thread, most_rows)), kernel_rows) * kernel_rows;
  team->run((product.m + block - 1) / block, [&](std::size_t i) {
    kernels::MatrixProduct part = product;
    part.m = std::min(block, product.m - i * block);
    part.a += static_cast<std::ptrdiff_t>(i * block) * part.a_row;
    part.c += i * block * part.n;
    kernels::multiply_matrices(part);
  });
}
}  // namespace

void run_gemm(const Gemm& gemm, const std::vector<void*>& pointers, BlockTeam* team) {
  const auto* a = static_cast<const float*>(pointers[gemm.a.buffer]) + gemm.a.offset;
  const auto* b = static_cast<const float*>(pointers[gemm.b.buffer]) + gemm.b.offset;
  auto* c = static_cast<float*>(pointers[gemm.c]);
  if (gemm.batch.empty()) return run_product(gemm, pointers, a, b, c, team);
  const std::int64_t size = gemm.a.shape[0] * gemm.b.shape[1];
  Shape index(gemm.batch.size(), 0);
  for (std::int64_t left = element_count(gemm.batch); left > 0; --left, c += size) {
    run_product(gemm, pointers, a, b, c, nullptr);
    for (std::size_t i = index.size(); i-- > 0;) {
      a += gemm.a_batch[i];
      b += gemm.b_batch[i];
      if (++index[i] < gemm.batch[i]) break;
      a -= gemm.batch[i] * gemm.a_batch[i];
      b -= gemm.batch[i] * gemm.b_batch[i];
      index[i] = 0;
    }
  }
}

}  // namespace lopt
