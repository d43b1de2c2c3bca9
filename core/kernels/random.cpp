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

template <int bits>
HWY_INLINE void round(Word& x, Word& y) {
  x = hn::Add(x, y);
  y = hn::Xor(hn::RotateRight<32 - bits>(y), x);
}

/// Both words of threefry(key, (0, counter)), combined by exclusive or.
HWY_INLINE Word mixed_words(std::uint32_t key0, std::uint32_t key1, Word counter) {
  const U u;
  const Word keys[3] = {hn::Set(u, key0), hn::Set(u, key1), hn::Set(u, 0x1BD11BDAU ^ key0 ^ key1)};
  Word x = keys[0], y = hn::Add(counter, keys[1]);
  for (unsigned group = 0; group < 5; ++group) {
    if (group % 2 == 0) {
      round<13>(x, y);
      round<15>(x, y);
      round<26>(x, y);
      round<6>(x, y);
    } else {
      round<17>(x, y);
      round<29>(x, y);
      round<16>(x, y);
      round<24>(x, y);
    }
    x = hn::Add(x, keys[(group + 1) % 3]);
    y = hn::Add(y, hn::Add(keys[(group + 2) % 3], hn::Set(u, group + 1)));
  }
  return hn::Xor(x, y);
}

/// out[i] = f(random bits of i); f gives vectors of the type of `out`.
template <class T, class Function>
void for_bits(std::uint32_t key0, std::uint32_t key1, T* out, std::size_t count, Function f) {
  const U u;
  const hn::Rebind<T, U> d;
  const std::size_t lanes = hn::Lanes(u);
  for (std::size_t i = 0; i < count; i += lanes) {
    const auto values = f(mixed_words(key0, key1, hn::Iota(u, static_cast<std::uint32_t>(i))));
    if (i + lanes <= count)
      hn::StoreU(values, d, out + i);
    else
      FirstElements<hn::Rebind<T, U>>(d, count - i).store(values, out + i);
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

}  // namespace lopt::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lopt::kernels {
HWY_EXPORT(fill_bits);
HWY_EXPORT(fill_normal);
void random_bits(std::uint32_t key0, std::uint32_t key1, std::uint32_t* out, std::size_t count) {
  HWY_DYNAMIC_DISPATCH(fill_bits)(key0, key1, out, count);
}
void random_normal(std::uint32_t key0, std::uint32_t key1, float* out, std::size_t count) {
  HWY_DYNAMIC_DISPATCH(fill_normal)(key0, key1, out, count);
}
}  // namespace lopt::kernels
#endif
