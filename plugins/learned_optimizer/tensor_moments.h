#pragma once
// The accumulators of one parameter tensor that celo, velo, celo2 and celo2_base look at, without bias correction.

#include <lopt/plugin.h>

#include <array>

namespace lopt {

/// Momenta, a second moment, and factored second moments.
struct TensorMoments {
  static constexpr std::array decays{0.9, 0.99, 0.999};  // of momenta and factored moments
  std::array<Tensor, 3> momenta;
  Tensor size;  // second moment
  std::array<FactoredMoment, 3> factored;

  static TensorMoments start(const Tensor& p) {
    const FactoredMoment factored = FactoredMoment::start(p);
    return {{zeros_like(p), zeros_like(p), zeros_like(p)}, zeros_like(p), {factored, factored, factored}};
  }
  static std::vector<TensorMoments> start(const Tree& params) {
    std::vector<TensorMoments> moments;
    for (const Tensor& p : params.leaves()) moments.push_back(start(p));
    return moments;
  }
  TensorMoments updated(const Tensor& gradient, double size_decay) const {
    TensorMoments next{{}, moving_mean(size, square(gradient), size_decay), {}};
    for (std::size_t k = 0; k < decays.size(); ++k) {
      next.momenta[k] = moving_mean(momenta[k], gradient, decays[k]);
      next.factored[k] = factored[k].updated(gradient, decays[k]);
    }
    return next;
  }
};

/// All moments as entries of a state, and back.
inline void put_moments(Tree& state, const Tree& like, const std::vector<TensorMoments>& moments) {
  const auto put = [&](const std::string& name, auto leaf_of) {
    std::vector<Tensor> leaves;
    for (const TensorMoments& of_leaf : moments) leaves.push_back(leaf_of(of_leaf));
    state.set(name, like.with_leaves<Tensor>(leaves));
  };
  put("size", [](const TensorMoments& m) { return m.size; });
  for (std::size_t k = 0; k < TensorMoments::decays.size(); ++k) {
    const std::string number = std::to_string(k);
    put("momentum" + number, [k](const TensorMoments& m) { return m.momenta[k]; });
    put("row" + number, [k](const TensorMoments& m) { return m.factored[k].row; });
    put("column" + number, [k](const TensorMoments& m) { return m.factored[k].column; });
  }
}
inline std::vector<TensorMoments> take_moments(const Tree& state) {
  std::vector<TensorMoments> moments;
  for (const Tensor& size : state["size"].leaves()) moments.push_back({{}, size, {}});
  for (std::size_t k = 0; k < TensorMoments::decays.size(); ++k) {
    const std::string number = std::to_string(k);
    const std::vector<Tensor> momentum = state["momentum" + number].leaves(), row = state["row" + number].leaves(),
                              column = state["column" + number].leaves();
    for (std::size_t leaf = 0; leaf < moments.size(); ++leaf) {
      moments[leaf].momenta[k] = momentum[leaf];
      moments[leaf].factored[k] = {row[leaf], column[leaf]};
    }
  }
  return moments;
}

/// Features of a parameter come in groups of one or of three, 30 numbers in all; `w0__K` of a θ are the first layer's
/// rows of group K.
inline constexpr std::int64_t feature_groups[] = {1, 1, 1, 3, 1, 3, 1, 3, 1, 3, 3, 3, 3, 3};

}  // namespace lopt
