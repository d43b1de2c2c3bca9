#include "execute/executor.h"

#include "execute/reference.h"
#include "execute/tile.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <limits>
#include <new>

namespace lopt {
namespace {

constexpr std::align_val_t alignment{64};

void grow(std::shared_ptr<std::byte>& memory, std::size_t& have, std::size_t want) {
  if (want <= have) return;
  memory.reset();
  memory = {static_cast<std::byte*>(::operator new(want + 64, alignment)),
            [](std::byte* p) { ::operator delete(p, alignment); }};
  std::memset(memory.get(), 0, want + 64);
  have = want;
}

void copy_view(const View& from, const std::uint32_t* source, const View& to, std::uint32_t* target) {
  const std::int64_t count = element_count(from.shape);
  source += from.offset;
  target += to.offset;
  if (from.contiguous() && to.contiguous()) {
    std::memcpy(target, source, static_cast<std::size_t>(count) * 4);
    return;
  }
  const std::size_t inner = from.shape.size() - 1;  // a scalar is contiguous
  const std::int64_t length = from.shape[inner], step = from.strides[inner], to_step = to.strides[inner];
  if (length == 0) return;
  RowPattern rows{Shape(from.shape.begin(), from.shape.end() - 1), Shape(from.strides.begin(), from.strides.end() - 1)};
  RowPattern to_rows{rows.lengths, Shape(to.strides.begin(), to.strides.end() - 1)};
  std::vector<std::int64_t> starts;
  for_rows(to_rows, 0, count / length, [&](std::int64_t at) { starts.push_back(at); });
  std::size_t row = 0;
  for_rows(rows, 0, count / length, [&](std::int64_t at) {
    std::uint32_t* t = target + starts[row++];
    for (std::int64_t i = 0; i < length; ++i) t[i * to_step] = source[at + i * step];
  });
}

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

void run_reduction(const Reduction& r, const void* from, void* to) {
  const auto outer = static_cast<std::size_t>(r.outer), reduced = static_cast<std::size_t>(r.reduced),
             inner = static_cast<std::size_t>(r.inner);
  if (r.dtype == DType::float32)
    (r.maximum ? kernels::table().reduce_max : kernels::table().reduce_sum)(
        static_cast<const float*>(from), static_cast<float*>(to), outer, reduced, inner);
  else if (r.dtype == DType::int32)
    reduce_integers(r, static_cast<const std::int32_t*>(from), static_cast<std::int32_t*>(to));
  else
    reduce_integers(r, static_cast<const std::uint32_t*>(from), static_cast<std::uint32_t*>(to));
}

void run_gemm(const Gemm& gemm, const std::vector<void*>& pointers) {
  const auto* a = static_cast<const float*>(pointers[gemm.a.buffer]) + gemm.a.offset;
  const auto* b = static_cast<const float*>(pointers[gemm.b.buffer]) + gemm.b.offset;
  const std::int64_t k = gemm.b.shape[0], n = gemm.b.shape[1];
  std::int64_t b_row = gemm.b.strides[0];
  if (gemm.pack) {
    auto* packed = static_cast<float*>(pointers[gemm.packed]);
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
  product.c = static_cast<float*>(pointers[gemm.c]);
  if (gemm.has_bias) product.bias = static_cast<const float*>(pointers[gemm.bias.buffer]) + gemm.bias.offset;
  product.relu = gemm.relu;
  kernels::table().matrix_product(product);
}

}  // namespace

void Arena::reserve(const Plan& plan) {
  grow(values_, value_bytes_, plan.arena_bytes);
  grow(scratch_, scratch_bytes_, plan.scratch_bytes);
  if (pointers_.size() < plan.buffers.size()) pointers_.resize(plan.buffers.size());
}

Executable::Executable(Plan plan) : plan_(std::move(plan)) {
  for (const Kernel& kernel : plan_.kernels) {
    const auto* region = std::get_if<Region>(&kernel);
    bound_.push_back(region ? bind_kernels(*region) : BoundKernels());
  }
}

void Executable::run_region(const Region& region, const BoundKernels& kernels, Arena& arena) const {
  const std::vector<void*>& pointers = arena.pointers();
  for (const TileInstruction& i : region.instructions)
    for (BufferId sum : sums_of(i)) std::memset(pointers[sum], 0, plan_.buffers[sum].size * 4);
  for (std::int64_t row = 0; row < region.rows; row += region.tile_rows)
    Tile(region, pointers, arena.scratch(), row).run(kernels);
}

void Executable::bind(std::span<const void* const> inputs, std::span<void* const> outputs, Arena& arena) const {
  arena.reserve(plan_);
  std::vector<void*>& pointers = arena.pointers();
  for (std::size_t i = 0; i < plan_.buffers.size(); ++i) {
    const Buffer& buffer = plan_.buffers[i];
    switch (buffer.place) {
      case Buffer::Place::input: pointers[i] = const_cast<void*>(inputs[buffer.index]); break;
      case Buffer::Place::output: pointers[i] = outputs[buffer.index]; break;
      case Buffer::Place::constant: pointers[i] = const_cast<void*>(plan_.constants[buffer.index].data()); break;
      case Buffer::Place::arena: pointers[i] = arena.values() + buffer.offset; break;
    }
  }
}

void Executable::run_kernel(std::size_t k, Arena& arena) const {
  const std::vector<void*>& pointers = arena.pointers();
  auto words = [&](BufferId buffer) { return static_cast<std::uint32_t*>(pointers[buffer]); };
  std::visit(
      [&]<class K>(const K& kernel) {
        if constexpr (std::is_same_v<K, Region>)
          run_region(kernel, bound_[k], arena);
        else if constexpr (std::is_same_v<K, Gemm>)
          run_gemm(kernel, pointers);
        else if constexpr (std::is_same_v<K, Reduction>)
          run_reduction(kernel, pointers[kernel.from], pointers[kernel.to]);
        else if constexpr (std::is_same_v<K, Copy>)
          copy_view(kernel.from, words(kernel.from.buffer), kernel.to, words(kernel.to.buffer));
        else if constexpr (std::is_same_v<K, Fill>)
          std::memset(pointers[kernel.to], 0, plan_.buffers[kernel.to].size * 4);
        else if constexpr (std::is_same_v<K, RandomBits>) {
          const std::uint32_t* key = words(kernel.key.buffer) + kernel.key.offset;
          kernels::random_bits(key[0], key[kernel.key.strides[0]], words(kernel.to), plan_.buffers[kernel.to].size);
        } else {
          std::vector<const void*> arguments;
          for (BufferId input : kernel.inputs) arguments.push_back(pointers[input]);
          evaluate_operation(kernel.operation, kernel.types, arguments, pointers[kernel.to]);
        }
      },
      plan_.kernels[k]);
}

void Executable::run(std::span<const void* const> inputs, std::span<void* const> outputs, Arena& arena) const {
  bind(inputs, outputs, arena);
  for (std::size_t k = 0; k < plan_.kernels.size(); ++k) run_kernel(k, arena);
}

std::vector<double> Executable::time_kernels() const {
  std::vector<Array> arrays;
  for (const Type& type : plan_.input_types) arrays.emplace_back(type);
  for (const Type& type : plan_.output_types) arrays.emplace_back(type);
  std::vector<const void*> inputs;
  std::vector<void*> outputs;
  for (std::size_t i = 0; i < arrays.size(); ++i) {
    if (i < plan_.input_types.size())
      inputs.push_back(arrays[i].data());
    else
      outputs.push_back(arrays[i].mutable_data());
  }
  Arena arena;
  bind(inputs, outputs, arena);
  constexpr int runs = 20;
  std::vector<double> best(plan_.kernels.size(), std::numeric_limits<double>::infinity());
  for (int i = 0; i < runs; ++i)
    for (std::size_t k = 0; k < best.size(); ++k) {
      const auto start = std::chrono::steady_clock::now();
      run_kernel(k, arena);
      best[k] = std::min(best[k], std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    }
  return best;
}

std::vector<Array> Executable::run(std::span<const Array> inputs) const {
  if (inputs.size() != plan_.input_types.size())
    throw std::invalid_argument(
        fmt::format("{} takes {} inputs, not {}", plan_.name, plan_.input_types.size(), inputs.size()));
  std::vector<const void*> in;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].type() != plan_.input_types[i])
      throw std::invalid_argument(fmt::format("{}: input {} is {}, not {}", plan_.name, i, to_text(inputs[i].type()),
                                              to_text(plan_.input_types[i])));
    in.push_back(inputs[i].data());
  }
  std::vector<Array> results;
  std::vector<void*> out;
  for (const Type& type : plan_.output_types) results.emplace_back(type);
  for (Array& result : results) out.push_back(result.mutable_data());
  Arena arena;
  run(in, out, arena);
  return results;
}

Executable compile(const Program& program) { return Executable(make_plan(program)); }

}  // namespace lopt
