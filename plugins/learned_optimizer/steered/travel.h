#pragma once
// How far the tensors of a problem have travelled, and the unit of length that this gives each.

#include "../../total.h"

#include <lopt/optimizer.h>

namespace lopt {

/// The unit of length s of a tensor, in which its steps are counted. It begins as u: the root mean square of the
/// tensor's first elements, or the geometric mean of those of all tensors where that is less, or these are 0: scales of
/// normalisation are 1, and embeddings often, and are not meant to move as far. Where all are 0 it is
/// 0.3 |loss| / (√n ‖g‖), the length at which a straight loss would have lost a third. With D the farthest that the
/// tensor was from where it began (root mean square), and L the length of its steps in all, s = max(u, D · (D/L)²):
/// what goes straight on goes ever faster, and what wanders does not, as distances do in Prodigy (Mishchenko and
/// Defazio, 2024) and DoG (Ivgi et al., 2023). So parameters may be in any one unit,
/// and losses in any: nothing here changes with them.
class Travel {
 public:
  /// Of a tensor: log (D/L), log (s/u), and of what its first-order loss falls in a step of length u: log of its share
  /// in that of all tensors; and of all, log of it over the loss.
  static constexpr std::int64_t feature_count = 4;

  static Tree start(const Tree& params) {
    const Tree nothing = map([](const Tensor&) { return zeros({}); }, params);
    return {{"first", params}, {"units", first_units(params)}, {"distances", nothing}, {"paths", nothing}};
  }

  Travel(const Tree& state, const Tree& params, const Tree& grads, const Tensor& loss)
      : first_(state["first"]),
        first_units_(state["units"].leaves()),
        distances_(state["distances"].leaves()),
        paths_(state["paths"].leaves()) {
    const std::vector<Tensor> p = params.leaves(), g = grads.leaves(), first = first_.leaves();
    std::vector<Tensor> squares;
    double count = 0;
    for (const Tensor& x : g) {
      squares.push_back(sum(square(x)));
      count += size_of(x);
    }
    const Tensor of_loss =
        where(loss != 0, 0.3 * abs(loss) * rsqrt(total(squares) * count + 1e-30), unit_without_anything);
    std::vector<Tensor> falls;
    for (std::size_t i = 0; i < p.size(); ++i) {
      first_units_[i] = where(first_units_[i] > 0, first_units_[i], of_loss);
      const Tensor distance = sqrt(sum(square(p[i] - first[i])) / size_of(p[i]) + 1e-30);
      distances_[i] = maximum(distances_[i], distance);
      straight_.push_back(where(paths_[i] > 0, minimum(distances_[i] / (paths_[i] + 1e-30), 1), 1));
      growth_.push_back(clamp(square(straight_[i]) * distances_[i] / first_units_[i], 1, most_growth));
      falls.push_back(first_units_[i] * sqrt(squares[i] * size_of(p[i]) + 1e-30));
    }
    const Tensor fall = total(falls);
    for (const Tensor& one : falls) shares_.push_back(one / fall);
    fall_ = where(loss != 0, log_of(fall / (abs(loss) + 1e-30), 0.15), 0);
  }

  /// s.
  Tensor unit(std::size_t tensor) const { return growth_[tensor] * first_units_[tensor]; }
  /// [feature_count].
  Tensor features(std::size_t tensor) const {
    return stack({log_of(straight_[tensor], 0.3), log_of(growth_[tensor], 0.2), fall_, log_of(shares_[tensor], 0.15)},
                 0);
  }
  /// The tensor makes a step of this length.
  void go(std::size_t tensor, const Tensor& length) { paths_[tensor] = paths_[tensor] + length; }
  Tree state(const Tree& like) const {
    return {{"first", first_},
            {"units", like.with_leaves<Tensor>(first_units_)},
            {"distances", like.with_leaves<Tensor>(distances_)},
            {"paths", like.with_leaves<Tensor>(paths_)}};
  }

 private:
  /// s / u stays below this, so that what diverges stays finite for long.
  static constexpr double most_growth = 1e5;
  /// Where parameters and losses are 0.
  static constexpr double unit_without_anything = 0.1;

  static double size_of(const Tensor& x) { return static_cast<double>(element_count(x.shape())); }
  static Tensor log_of(const Tensor& ratio, double factor) { return clamp(log(ratio + 1e-20) * factor, -2, 2); }
  static Tree first_units(const Tree& params) {
    std::vector<Tensor> sizes, logs, counts, units;
    for (const Tensor& x : params.leaves()) {
      const Tensor squares = sum(square(x)), any = squares > 0;
      sizes.push_back(sqrt(where(any, squares, 1) / size_of(x)));
      logs.push_back(where(any, log(sizes.back()), 0));
      counts.push_back(where(any, 1, 0));
    }
    const Tensor count = total(counts), usual = where(count > 0, exp(total(logs) / maximum(count, 1)), 0);
    for (std::size_t i = 0; i < sizes.size(); ++i)
      units.push_back(where(counts[i] > 0, minimum(sizes[i], usual), usual));
    return params.with_leaves<Tensor>(units);
  }

  Tree first_;
  std::vector<Tensor> first_units_, distances_, paths_, straight_, growth_, shares_;
  Tensor fall_;
};

}  // namespace lopt
