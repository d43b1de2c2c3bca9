#pragma once
// Directions for evolution strategies on whole problems: independent, orthogonal to each other, or of a low-discrepancy
// sequence. Each alone is N(0, I), so that the estimates are unbiased; together they cover θ's space more evenly.

#include "antithetic.h"
#include "vectors.h"

#include <lopt/plugin.h>

#include <cmath>

namespace lopt {

class Directions {
 public:
  explicit Directions(Settings& s)
      : kind_(s.text("directions", "independent")
                  .one_of({"independent", "orthogonal", "quasi_random"})
                  .doc("of the perturbations: normal numbers; the same, made orthogonal to each other (Choromanski et "
                       "al., 2018), as many at a time as θ has weights; or a Sobol sequence, shifted at random")) {}

  /// ε = σ v, one for each key. Throws SettingsError where θ has more weights than the sequence has dimensions.
  std::vector<Values> draw(const Values& theta, const std::vector<HostKey>& keys, HostKey key, float std) const {
    if (kind_ == "quasi_random") return quasi_random(theta, keys.size(), key, std);
    std::vector<Values> result;
    for (const HostKey own : keys) result.push_back(normal_like(own, theta, std));
    if (kind_ == "orthogonal") make_orthogonal(result);
    return result;
  }

 private:
  /// Each keeps its length, which of a normal vector is independent of where it points.
  static void make_orthogonal(std::vector<Values>& vectors) {
    const auto weights = static_cast<std::size_t>(weights_of(vectors[0]));
    std::vector<Values> basis;
    for (Values& vector : vectors) {
      if (basis.size() == weights) basis.clear();
      const double length = std::sqrt(dot(vector, vector));
      const Values rest = orthogonal_part(scaled(vector, 1 / length), basis);
      basis.push_back(scaled(rest, 1 / std::sqrt(dot(rest, rest))));
      vector = scaled(basis.back(), length);
    }
  }

  static std::vector<Values> quasi_random(const Values& theta, std::size_t count, HostKey key, float std) {
    const std::int64_t weights = weights_of(theta);
    if (weights > most_quasi_dimensions)
      throw SettingsError("directions: quasi_random is for at most " + std::to_string(most_quasi_dimensions) +
                          " weights, and θ has " + std::to_string(weights) + "; `orthogonal` is for any number");
    constexpr std::uint32_t shift_key = 0x736f626f;  // "sobo"
    const Array points = quasi_normal(fold_in(key, shift_key), static_cast<std::int64_t>(count), weights);
    std::vector<Values> result;
    std::size_t next = 0;
    for (std::size_t point = 0; point < count; ++point)
      result.push_back(map(
          [&](Array leaf) {
            for (float& x : leaf.mutable_values<float>()) x = std * points.values<float>()[next++];
            return leaf;
          },
          theta));
    return result;
  }

  std::string kind_;
};

}  // namespace lopt
