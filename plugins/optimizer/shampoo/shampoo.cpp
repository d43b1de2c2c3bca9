#include "../sides.h"

using namespace lopt;

namespace {
/// Bound of a matrix's gradients, far beyond where a problem has diverged: the norms of what is summed are finite.
constexpr double most = 1e8;
}  // namespace

/// Shampoo: of tensors of two dimensions or more, as matrices G of all but the last dimension by the last,
///   L ← L + G Gᵀ, R ← R + Gᵀ G, m ← momentum·m + L^(−1/4) G R^(−1/4), p ← p − lr·(m + decay·p);
/// a side that is longer than `longest` is left out, and the other's root is −1/2. Of other tensors, and where both
/// sides are too long, the sum of squares, and G over its root. With `decay_statistics` β < 1 the sums are running
/// means: L ← β·L + (1 − β)·G Gᵀ. Roots are found by Newton's iteration.
class Shampoo final : public Optimizer {
 public:
  explicit Shampoo(Settings& s)
      : learning_rate_(s.rate("learning_rate", 0.1).above(0).doc("step size")),
        momentum_(s.real("momentum", 0).at_least(0).below(1).doc("share of the old step that stays in the new one")),
        decay_(s.rate("weight_decay", 0).at_least(0).doc("share of a parameter, times the step size, that goes")),
        epsilon_(s.real("epsilon", 1e-4).above(0).doc("what L and R begin at, times the identity")),
        beta_(s.real("decay_statistics", 1).above(0).at_most(1).doc("β of the statistics; 1: they are sums")),
        longest_(s.integer("longest", 1024).at_least(1).doc("side that has a matrix of its own")),
        iterations_(s.integer("iterations", 30).between(1, 100).doc("of Newton for a root")) {}

  Tree init(const Tree& params, const InitContext&) const override {
    return {{"params", params},
            {"momentum", zeros_like(params)},
            {"rows", side_of(params, 0)},
            {"columns", side_of(params, 1)},
            {"squares",
             map([&](const Tensor& p) { return by_matrix(p) ? zeros({}) : full(p.shape(), epsilon_); }, params)}};
  }
  Tree update(const Tree& state, const Tree& grads, const UpdateContext& context) const override {
    const std::vector<Tensor> p = state["params"].leaves(), g = grads.leaves(), rows = state["rows"].leaves(),
                              columns = state["columns"].leaves(), squares = state["squares"].leaves();
    std::vector<Tensor> steps, next_rows = rows, next_columns = columns, next_squares = squares;
    for (std::size_t i = 0; i < p.size(); ++i) {
      if (!by_matrix(p[i])) {
        next_squares[i] = added(squares[i], square(g[i]));
        steps.push_back(g[i] * rsqrt(next_squares[i]));
        continue;
      }
      const Tensor matrix = as_matrix(clamp(g[i], -most, most));
      const bool has_rows = rows[i].rank() == 2, has_columns = columns[i].rank() == 2;
      const int root = has_rows && has_columns ? 4 : 2;
      Tensor step = matrix;
      if (has_rows) {
        next_rows[i] = added(rows[i], matmul(matrix, transpose(matrix)));
        step = matmul(inverse_root(next_rows[i], root, iterations_), step);
      }
      if (has_columns) {
        next_columns[i] = added(columns[i], matmul(transpose(matrix), matrix));
        step = matmul(step, inverse_root(next_columns[i], root, iterations_));
      }
      steps.push_back(reshape(step, p[i].shape()));
    }
    const auto tree = [&](const std::vector<Tensor>& leaves) { return grads.with_leaves<Tensor>(leaves); };
    const Tree momentum = momentum_ * state["momentum"] + tree(steps);
    const Tree step = momentum + decay_.at(context) * state["params"];
    return {{"params", state["params"] - learning_rate_.at(context) * step},
            {"momentum", momentum},
            {"rows", tree(next_rows)},
            {"columns", tree(next_columns)},
            {"squares", tree(next_squares)}};
  }
  Tree params(const Tree& state) const override { return state["params"]; }

 private:
  bool by_matrix(const Tensor& p) const {
    if (p.rank() < 2) return false;
    const Shape shape = matrix_shape(p);
    return std::min(shape[0], shape[1]) <= longest_;
  }
  Tree side_of(const Tree& params, int side) const {
    return for_side(params, side, longest_,
                    [&](const Tensor&, std::int64_t n) { return identity_matrix(n, epsilon_); });
  }
  Tensor added(const Tensor& statistic, const Tensor& x) const {
    return beta_ < 1 ? beta_ * statistic + (1 - beta_) * x : statistic + x;
  }

  Rate learning_rate_;
  double momentum_;
  Rate decay_;
  double epsilon_, beta_;
  std::int64_t longest_;
  int iterations_;
};

LOPT_PLUGIN(Shampoo, "shampoo",
            {.summary = "A preconditioner on each side of a matrix",
             .paper = "Gupta, Koren and Singer, Shampoo: preconditioned stochastic tensor optimization, ICML 2018",
             .url = "https://arxiv.org/abs/1802.09568"})
