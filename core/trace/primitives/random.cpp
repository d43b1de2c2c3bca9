// Random numbers inside programs. The primitives call what the host calls; the distributions are written in primitives.
#include "kernels/kernels.h"
#include "random/threefry.h"
#include "trace/primitives/elementwise.h"
#include "trace/primitives/by_name.h"

#include <lopt/random.h>

#include <fmt/format.h>

#include <cmath>

namespace lopt {
namespace {

HostKey key_of(const void* words) {
  const auto* pair = static_cast<const std::uint32_t*>(words);
  return {pair[0], pair[1]};
}

template <class R>
const xt::xarray<std::uint32_t>& words(const ReferenceArguments<R>& call, std::size_t i) {
  return std::get<xt::xarray<std::uint32_t>>(*call.inputs[i]);
}

const Primitive random_bits_row =
    with_reference({.name = "random_bits",
                    .type =
                        [](std::span<const Type>, const Attributes& attributes) {
                          return Type{DType::uint32, std::get<Target>(attributes).shape};
                        }},
                   []<class R>(ReferenceArguments<R>& call) {
                     auto result = make_xarray<std::uint32_t>(call.type.shape);
                     const HostKey key = key_of(words(call, 0).data());
                     kernels::random_bits(key.high, key.low, result.data(), result.size());
                     call.result = std::move(result);
                   });

/// Row i of split(key, n) is threefry(key, (0, i)); fold_in(key, i) is the same.
const Primitive split_row = with_reference({.name = "split",
                                            .type =
                                                [](std::span<const Type>, const Attributes& attributes) {
                                                  return Type{DType::uint32, {std::get<Count>(attributes).count, 2}};
                                                }},
                                           []<class R>(ReferenceArguments<R>& call) {
                                             auto result = make_xarray<std::uint32_t>(call.type.shape);
                                             const HostKey key = key_of(words(call, 0).data());
                                             for (std::uint32_t i = 0; i < call.type.shape[0]; ++i) {
                                               const HostKey next = threefry(key, 0, i);
                                               result.data()[2 * i] = next.high;
                                               result.data()[2 * i + 1] = next.low;
                                             }
                                             call.result = std::move(result);
                                           });
const Primitive fold_in_row =
    with_reference({.name = "fold_in",
                    .type =
                        [](std::span<const Type>, const Attributes&) {
                          return Type{DType::uint32, {2}};
                        }},
                   []<class R>(ReferenceArguments<R>& call) {
                     auto result = make_xarray<std::uint32_t>(call.type.shape);
                     const HostKey next = threefry(key_of(words(call, 0).data()), 0,
                                                   static_cast<std::uint32_t>(std::get<Count>(call.attributes).count));
                     result.data()[0] = next.high;
                     result.data()[1] = next.low;
                     call.result = std::move(result);
                   });

}  // namespace

Tensor split_rows(const Key& key, std::int64_t count) {
  if (count < 1) throw ShapeError("split: at least one key");
  return apply(split_row, {key.bits}, Count{count});
}

std::vector<Key> split(const Key& key, int count) {
  const Tensor rows = split_rows(key, count);
  std::vector<Key> result;
  for (int i = 0; i < count; ++i) result.push_back({take(rows, i, 0)});
  return result;
}

Key fold_in(const Key& key, std::uint32_t data) { return {apply(fold_in_row, {key.bits}, Count{data})}; }

Tensor random_bits(const Key& key, const Shape& shape) { return apply(random_bits_row, {key.bits}, Target{shape}); }

// 23 random bits are the fraction of a number in [1, 2).
Tensor uniform(const Key& key, const Shape& shape, double low, double high) {
  const auto l = static_cast<float>(low), h = static_cast<float>(high);
  Tensor fraction =
      bitcast(shift_right(random_bits(key, shape), 9) | full(shape, 0x3f800000, DType::uint32), DType::float32) - 1;
  return maximum(multiply_add(fraction, static_cast<double>(h - l), static_cast<double>(l)), static_cast<double>(l));
}

Tensor normal(const Key& key, const Shape& shape) {
  return erf_inv(uniform(key, shape, std::nextafter(-1.0F, 0.0F), 1)) * std::sqrt(2.0);
}

// 64 random bits modulo the span, from two draws of 32.
Tensor randint(const Key& key, const Shape& shape, std::int32_t low, std::int32_t high) {
  if (high <= low) throw ShapeError(fmt::format("randint: nothing between {} and {}", low, high));
  std::vector<Key> keys = split(key);
  const std::uint32_t span = static_cast<std::uint32_t>(high) - static_cast<std::uint32_t>(low);
  const std::uint32_t square_root = (1U << 16U) % span, multiplier = square_root * square_root % span;
  Tensor modulus = full(shape, span, DType::uint32), factor = full(shape, multiplier, DType::uint32);
  Tensor offset =
      remainder(random_bits(keys[0], shape), modulus) * factor + remainder(random_bits(keys[1], shape), modulus);
  return convert(remainder(offset, modulus), DType::int32) + full(shape, low, DType::int32);
}

std::vector<const Primitive*> random_primitives() { return {&random_bits_row, &split_row, &fold_in_row}; }

}  // namespace lopt
