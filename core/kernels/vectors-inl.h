// What kernels of float32 share: vectors of at most 16, their ends, and maxima. Included once for each SIMD level, so
// the guard is that of the level.
#if defined(LOPT_VECTORS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef LOPT_VECTORS_INL_H
#undef LOPT_VECTORS_INL_H
#else
#define LOPT_VECTORS_INL_H
#endif

#include <hwy/highway.h>

#include <limits>

HWY_BEFORE_NAMESPACE();
namespace lopt::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::CappedTag<float, 16>;
using V = hn::Vec<D>;
constexpr bool wide = HWY_MAX_BYTES >= 64;
/// The level multiplies and adds with one rounding.
constexpr bool fused =
    HWY_TARGET != HWY_SSE4 && HWY_TARGET != HWY_SSSE3 && HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128;
constexpr std::size_t max_lanes = HWY_MAX_BYTES / 4;
constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

/// To be called before code of another level where the compiler does not see that vectors were used: Intel's processors
/// lose some 20 ns to the first short vector after long ones whose upper halves are not known to be empty.
HWY_INLINE void leave_vectors() {
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX2
  _mm256_zeroupper();
#endif
}

/// The larger and the smaller of a bound and x, which keep a NaN of x: x86's instructions do in this order, ARM's give
/// the number.
template <class V>
HWY_INLINE V at_least(V bound, V x) {
  if constexpr (HWY_ARCH_X86) return hn::Max(bound, x);
  return hn::IfThenElse(hn::Lt(x, bound), bound, x);
}
template <class V>
HWY_INLINE V at_most(V bound, V x) {
  if constexpr (HWY_ARCH_X86) return hn::Min(bound, x);
  return hn::IfThenElse(hn::Lt(bound, x), bound, x);
}

HWY_INLINE V relu_of(D d, V x) { return at_least(hn::Zero(d), x); }

/// The first elements of a vector in memory, whose rest is neither read nor written. Levels without masks in hardware
/// would need aligned memory for hn::MaskedLoad; they go through a buffer.
template <class D>
class FirstElements {
 public:
  using T = hn::TFromD<D>;
  HWY_INLINE FirstElements(D d, std::size_t count) : mask_(hn::FirstN(d, count)), count_(count) {}

  /// Zeros behind the first elements.
  HWY_INLINE hn::Vec<D> load(const T* from) const {
    const D d;
    if constexpr (HWY_MAX_BYTES >= 32) return hn::MaskedLoad(mask_, d, from);
    HWY_ALIGN T buffer[HWY_MAX_BYTES / sizeof(T)] = {};
    for (std::size_t i = 0; i < count_; ++i) buffer[i] = from[i];
    return hn::Load(d, buffer);
  }
  HWY_INLINE void store(hn::Vec<D> v, T* to) const {
    const D d;
    if constexpr (HWY_MAX_BYTES >= 32) return hn::BlendedStore(v, mask_, d, to);
    HWY_ALIGN T buffer[HWY_MAX_BYTES / sizeof(T)];
    hn::Store(v, d, buffer);
    for (std::size_t i = 0; i < count_; ++i) to[i] = buffer[i];
  }

 private:
  hn::Mask<D> mask_;
  std::size_t count_;
};

/// Halves added until a vector has the lanes of Small.
template <class Small, class D>
HWY_INLINE hn::Vec<Small> halved([[maybe_unused]] D d, hn::Vec<D> v) {
  if constexpr (hn::MaxLanes(D()) <= hn::MaxLanes(Small())) {
    return v;
  } else {
    const hn::Half<D> half;
    return halved<Small>(half, hn::Add(hn::LowerHalf(half, v), hn::UpperHalf(half, v)));
  }
}

using D4 = hn::CappedTag<float, 4>;
/// The sums of the lanes of four vectors.
HWY_INLINE hn::Vec<D4> sums_of_four(V a, V b, V c, V e) {
  const D d;
  const hn::Repartition<std::uint64_t, D> pairs;
  const auto ab = hn::BitCast(pairs, hn::Add(hn::InterleaveLower(d, a, b), hn::InterleaveUpper(d, a, b))),
             ce = hn::BitCast(pairs, hn::Add(hn::InterleaveLower(d, c, e), hn::InterleaveUpper(d, c, e)));
  const V of_blocks =
      hn::Add(hn::BitCast(d, hn::InterleaveLower(pairs, ab, ce)), hn::BitCast(d, hn::InterleaveUpper(pairs, ab, ce)));
  return halved<D4>(d, of_blocks);
}

/// The larger of two; NaN wins.
template <class D, class V>
HWY_INLINE V larger(D, V a, V b) {
  return hn::IfThenElse(hn::IsNaN(a), a, hn::IfThenElse(hn::IsNaN(b), b, hn::Max(a, b)));
}
template <class D, class V>
HWY_INLINE V smaller(D, V a, V b) {
  return hn::IfThenElse(hn::IsNaN(a), a, hn::IfThenElse(hn::IsNaN(b), b, hn::Min(a, b)));
}

}  // namespace lopt::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
