// Random numbers, as many at once as a vector holds: Threefry-2x32 with 20 rounds (Salmon et al., 2011), as JAX uses
// it.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/random.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/highway.h>

#include "kernels/functions-inl.h"
#include "kernels/kernels.h"

#include <cmath>

HWY_BEFORE_NAMESPACE();
namespace lopt::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using U = hn::CappedTag<std::uint32_t, 16>;
using Word = hn::Vec<U>;

/// Vectors at a time: each round waits for the last, so several chains run beside each other.
constexpr std::size_t chains = 4;
struct Words {
  Word x[chains], y[chains];
};

template <int bits>
HWY_INLINE void round(Words& w) {
  for (std::size_t c = 0; c < chains; ++c) w.x[c] = hn::Add(w.x[c], w.y[c]);
  for (std::size_t c = 0; c < chains; ++c) w.y[c] = hn::Xor(hn::RotateRight<32 - bits>(w.y[c]), w.x[c]);
}
template <unsigned group>
HWY_INLINE void rounds(Words& w, const Word* keys) {
  if constexpr (group % 2 == 0) {
    round<13>(w);
    round<15>(w);
    round<26>(w);
    round<6>(w);
  } else {
    round<17>(w);
    round<29>(w);
    round<16>(w);
    round<24>(w);
  }
  const Word to_y = hn::Add(keys[(group + 2) % 3], hn::Set(U(), group + 1));
  for (std::size_t c = 0; c < chains; ++c) {
    w.x[c] = hn::Add(w.x[c], keys[(group + 1) % 3]);
    w.y[c] = hn::Add(w.y[c], to_y);
  }
}

/// out[i] = f(both words of threefry(key, (0, i)), combined by exclusive or); f gives vectors of the type of `out`.
template <class T, class Function>
void for_bits(std::uint32_t key0, std::uint32_t key1, T* out, std::size_t count, Function f) {
  const U u;
  const hn::Rebind<T, U> d;
  const std::size_t lanes = hn::Lanes(u);
  const Word keys[3] = {hn::Set(u, key0), hn::Set(u, key1), hn::Set(u, 0x1BD11BDAU ^ key0 ^ key1)};
  for (std::size_t begin = 0; begin < count; begin += chains * lanes) {
    Words w;
    for (std::size_t c = 0; c < chains; ++c) {
      w.x[c] = keys[0];
      w.y[c] = hn::Add(hn::Iota(u, static_cast<std::uint32_t>(begin + c * lanes)), keys[1]);
    }
    rounds<0>(w, keys);
    rounds<1>(w, keys);
    rounds<2>(w, keys);
    rounds<3>(w, keys);
    rounds<4>(w, keys);
    for (std::size_t c = 0; c < chains; ++c) {
      const std::size_t i = begin + c * lanes;
      if (i >= count) break;
      const auto values = f(hn::Xor(w.x[c], w.y[c]));
      if (i + lanes <= count)
        hn::StoreU(values, d, out + i);
      else
        FirstElements<hn::Rebind<T, U>>(d, count - i).store(values, out + i);
    }
  }
}

void fill_bits(std::uint32_t key0, std::uint32_t key1, std::uint32_t* out, std::size_t count) {
  for_bits(key0, key1, out, count, [](Word bits) { return bits; });
}

/// √2 · erf⁻¹(u), u uniform in (−1, 1).
void fill_normal(std::uint32_t key0, std::uint32_t key1, float* out, std::size_t count) {
  const float low = std::nextafter(-1.0F, 0.0F), width = 1.0F - low;
  for_bits(key0, key1, out, count, [&](Word bits) {
    const hn::Rebind<float, U> d;
    const U u;
    const auto one = hn::Set(d, 1.0F);
    const auto fraction = hn::Sub(hn::BitCast(d, hn::Or(hn::ShiftRight<9>(bits), hn::Set(u, 0x3f800000U))), one);
    const auto uniform = hn::Max(hn::MulAdd(fraction, hn::Set(d, width), hn::Set(d, low)), hn::Set(d, low));
    return hn::Mul(hn::Set(d, std::sqrt(2.0F)), erf_inv(d, uniform));
  });
}

/// A bijection that spreads each bit over all (the finalizer of MurmurHash3).
HWY_INLINE Word mixed(Word x) {
  const U u;
  x = hn::Mul(hn::Xor(x, hn::ShiftRight<16>(x)), hn::Set(u, 0x85ebca6bU));
  x = hn::Mul(hn::Xor(x, hn::ShiftRight<13>(x)), hn::Set(u, 0xc2b2ae35U));
  return hn::Xor(x, hn::ShiftRight<16>(x));
}
void fill_order(const RandomOrder& order, std::uint32_t first, std::int32_t* out, std::size_t count) {
  const U u;
  const Word low_mask = hn::Set(u, (1U << order.low_bits) - 1), high_mask = hn::Set(u, (1U << order.high_bits) - 1),
             most = hn::Set(u, order.n - 1);
  const auto permuted = [&](Word place) {
    Word high = hn::ShiftRightSame(place, order.low_bits), low = hn::And(place, low_mask);
    const auto mixed_with = [&](Word half, std::size_t round) {
      return mixed(hn::Xor(half, hn::Set(u, order.round_keys[round])));
    };
    high = hn::Xor(high, hn::And(mixed_with(low, 0), high_mask));
    low = hn::Xor(low, hn::And(mixed_with(high, 1), low_mask));
    high = hn::Xor(high, hn::And(mixed_with(low, 2), high_mask));
    low = hn::Xor(low, hn::And(mixed_with(high, 3), low_mask));
    return hn::Or(hn::ShiftLeftSame(high, order.low_bits), low);
  };
  const std::size_t lanes = hn::Lanes(u);
  for (std::size_t i = 0; i < count; i += lanes) {
    // Places behind the last one count as it, so that each walk ends.
    Word place = permuted(hn::Min(hn::Iota(u, first + static_cast<std::uint32_t>(i)), most));
    for (auto beyond = hn::Gt(place, most); !hn::AllFalse(u, beyond); beyond = hn::Gt(place, most))
      place = hn::IfThenElse(beyond, permuted(place), place);
    const hn::Rebind<std::int32_t, U> d;
    if (i + lanes <= count)
      hn::StoreU(hn::BitCast(d, place), d, out + i);
    else
      FirstElements<hn::Rebind<std::int32_t, U>>(d, count - i).store(hn::BitCast(d, place), out + i);
  }
}

}  // namespace lopt::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lopt::kernels {
HWY_EXPORT(fill_bits);
HWY_EXPORT(fill_normal);
HWY_EXPORT(fill_order);
void random_bits(std::uint32_t key0, std::uint32_t key1, std::uint32_t* out, std::size_t count) {
  HWY_DYNAMIC_DISPATCH(fill_bits)(key0, key1, out, count);
}
void random_normal(std::uint32_t key0, std::uint32_t key1, float* out, std::size_t count) {
  HWY_DYNAMIC_DISPATCH(fill_normal)(key0, key1, out, count);
}
void random_order(const RandomOrder& order, std::uint32_t first, std::int32_t* out, std::size_t count) {
  HWY_DYNAMIC_DISPATCH(fill_order)(order, first, out, count);
}
}  // namespace lopt::kernels
#endif
