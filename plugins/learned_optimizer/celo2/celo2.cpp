#include "../celo2.h"

using namespace lopt;

namespace {

constexpr double beta1 = 0.9, beta2 = 0.95, adam_rate = 20;

struct Rates {
  double learning_rate, weight_decay;
};

/// Five iterations of Newton and Schulz towards the nearest orthogonal matrix (Jordan et al., Muon, 2024):
///   x ← x / (‖x‖ + 1e-8), then A = x xᵀ, x ← 3.4445 x + (−4.7750 A + 2.0315 A²) x; tall matrices are turned before.
Tensor orthogonalized(const Tensor& matrix) {
  const bool tall = matrix.dim(0) > matrix.dim(1);
  Tensor x = tall ? transpose(matrix) : matrix;
  x = x / (norm(x) + 1e-8);
  for (int i = 0; i < 5; ++i) {
    const Tensor a = matmul(x, transpose(x));
    x = 3.4445 * x + matmul(-4.7750 * a + 2.0315 * matmul(a, a), x);
  }
  return tall ? transpose(x) : x;
}
/// The same for each matrix of the last two dimensions.
Tensor orthogonalized_each(const Tensor& x) {
  if (x.rank() == 2) return orthogonalized(x);
  const Tensor matrices = reshape(x, {-1, x.dim(-2), x.dim(-1)});
  std::vector<Tensor> results;
  for (std::int64_t i = 0; i < matrices.dim(0); ++i) results.push_back(orthogonalized(take(matrices, i, 0)));
  return reshape(stack(results, 0), x.shape());
}

/// Of matrices: p ← p − lr · normalised(orthogonalised(s)), s the network's direction. Of vectors and scalars, Adam
/// without bias correction: m ← β1·m + (1 − β1)·g, v ← β2·v + (1 − β2)·g², p ← p − 20 · lr · m / √(v + 1e-8). Weight
/// decay is decoupled: p ← p − lr · decay · p.
class Update final : public Optimizer {
 public:
  Update(const Tree& theta, Rates rates) : direction_(theta), rates_(rates) {}

  Tree init(const Tree& params, const InitContext&) const override {
    std::vector<celo2::Moments> moments;
    for (const Tensor& p : params.leaves()) moments.push_back(celo2::Moments::start(p));
    Tree state{{"params", params}};
    celo2::put_moments(state, params, moments);
    return state;
  }

  Tree update(const Tree& state, const Tree& grads, const UpdateContext&) const override {
    std::vector<celo2::Moments> moments = celo2::take_moments(state);
    const std::vector<Tensor> p = state["params"].leaves(), g = grads.leaves();
    std::vector<Tensor> next;
    for (std::size_t i = 0; i < p.size(); ++i) {
      const Tensor gradient = celo2::clipped(g[i]);
      moments[i] = moments[i].updated(gradient);
      // The first momentum and the second moment decay as Adam's do here.
      static_assert(celo2::momentum_decays[0] == beta1 && celo2::size_decay == beta2);
      Tensor step = p[i].rank() >= 2 ? celo2::normalized(orthogonalized_each(direction_(p[i], gradient, moments[i])))
                                     : adam_rate * moments[i].momenta[0] * rsqrt(moments[i].size + 1e-8);
      if (rates_.weight_decay > 0) step = step + rates_.weight_decay * p[i];
      next.push_back(p[i] - rates_.learning_rate * step);
    }
    Tree result{{"params", grads.with_leaves<Tensor>(next)}};
    celo2::put_moments(result, grads, moments);
    return result;
  }

  Tree params(const Tree& state) const override { return state["params"]; }

 private:
  celo2::Direction direction_;
  Rates rates_;
};

}  // namespace

/// Celo2: the base rule's directions of matrices made orthogonal, Adam for the rest. The rate is not learned: tune it,
/// and lower it over time.
class Celo2 final : public LearnedOptimizer {
 public:
  explicit Celo2(Settings& s)
      : rates_{s.real("learning_rate", 0.001)
                   .above(0)
                   .doc("root mean square of a matrix's step; Adam's rate is 20 times it"),
               s.real("weight_decay", 0).at_least(0).doc("decoupled: times the rate, of each parameter a step")} {}
  Tree init(Key key) const override { return celo2::initial_theta(key); }
  std::unique_ptr<Optimizer> opt_fn(const Tree& theta) const override {
    return std::make_unique<Update>(theta, rates_);
  }

 private:
  Rates rates_;
};

LOPT_PLUGIN(Celo2, "celo2",
            {.summary = "Celo2: orthogonal steps of a small network, Adam for vectors",
             .paper = "Celo2: Towards learned optimization free lunch, ICLR 2026",
             .url = "https://arxiv.org/abs/2602.19142"})
