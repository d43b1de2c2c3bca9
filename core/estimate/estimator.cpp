#include <lopt/estimator.h>
#include <lopt/task.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace lopt {

std::vector<HostKey> task_keys(HostKey key, int count) {
  return count == 1 ? std::vector<HostKey>{key} : split(key, count);
}

// Lanes come by value for those who keep them.
// NOLINTNEXTLINE(performance-unnecessary-value-param)
Unrolled Unroller::unroll_with_tangents(std::vector<Lane>, const Values&, const UnrollOptions&, const TangentOptions&,
                                        Slopes&) const {
  throw std::logic_error("this unroller has no forward mode: unroll_with_tangents() is not overridden");
}

// NOLINTNEXTLINE(performance-unnecessary-value-param)
Unrolled Unroller::unroll_with_lane_gradients(std::vector<Lane>, std::span<const Values>, const UnrollOptions&, bool,
                                              std::span<const HostKey>, LaneGradients&) const {
  throw std::logic_error("this unroller gives no gradients by lane: unroll_with_lane_gradients() is not overridden");
}

Values random_signs(HostKey key, const Values& tree) {
  std::uint32_t leaf = 0;
  return map(
      [&](const Array& array) {
        Array signs(array.type());
        const HostKey own = fold_in(key, leaf++);
        if (array.dtype() != DType::float32) return signs;
        const Array bits = random_bits(own, array.shape());
        auto to = signs.mutable_values<float>();
        auto from = bits.values<std::uint32_t>();
        for (std::size_t i = 0; i < to.size(); ++i) to[i] = (from[i] >> 31U) != 0 ? 1.0F : -1.0F;
        return signs;
      },
      tree);
}

ScaledSigns scaled_signs(HostKey key, const Values& state) {
  const Values signs = random_signs(key, state);
  const auto scaled = [&](bool inverse) {
    return map(
        [&](Array sign, const Array& leaf) {
          if (sign.dtype() != DType::float32) return sign;
          const auto values = leaf.values<float>();
          double square = 0;
          for (const float x : values) square += static_cast<double>(x) * static_cast<double>(x);
          const double share = 0.1 * std::sqrt(square / static_cast<double>(std::max<std::size_t>(1, values.size())));
          const auto to = sign.mutable_values<float>();
          for (std::size_t i = 0; i < to.size(); ++i) {
            const double unit =
                share > 0 && std::isfinite(share) ? std::abs(static_cast<double>(values[i])) + share : 1;
            to[i] = static_cast<float>(static_cast<double>(to[i]) * (inverse ? 1 / unit : unit));
          }
          return sign;
        },
        signs, state);
  };
  return {scaled(false), scaled(true)};
}

double dot(const Values& a, const Values& b) {
  double total = 0;
  const std::vector<Array> left = a.leaves(), right = b.leaves();
  for (std::size_t leaf = 0; leaf < left.size(); ++leaf) {
    if (left[leaf].dtype() != DType::float32) continue;
    const auto x = left[leaf].values<float>(), y = right[leaf].values<float>();
    for (std::size_t i = 0; i < x.size(); ++i) total += static_cast<double>(x[i]) * static_cast<double>(y[i]);
  }
  return total;
}

void add_scaled(Values& target, float scale, const Values& source) {
  for_leaves(
      [&](Array& sum, const Array& term) {
        if (sum.dtype() != DType::float32) return;
        auto to = sum.mutable_values<float>();
        auto from = term.values<float>();
        for (std::size_t i = 0; i < to.size(); ++i) to[i] += scale * from[i];
      },
      target, source);
}

Values zeros_like(const Values& tree) {
  return map([](const Array& array) { return Array(array.type()); }, tree);
}

std::int64_t drawn_length(const UnrollOptions& options, HostKey key) {
  const std::int64_t most = options.problem_length.value_or(0), least = options.least_length;
  if (least <= 0 || least >= most) return most;
  constexpr std::uint32_t length_key = 0x6c656e67;  // "leng"
  const double share = static_cast<double>(uniform(fold_in(key, length_key), {1}).values<float>()[0]);
  const double drawn =
      std::exp(std::log(static_cast<double>(least)) +
               share * (std::log(static_cast<double>(most) + 1) - std::log(static_cast<double>(least))));
  return std::clamp(static_cast<std::int64_t>(drawn), least, most);
}

std::size_t TaskFamily::sample(HostKey key) const {
  const auto count = static_cast<std::int32_t>(size());
  return count == 1 ? 0 : static_cast<std::size_t>(randint(fold_in(key, 0x66616d), {}, 0, count).item<std::int32_t>());
}

}  // namespace lopt
