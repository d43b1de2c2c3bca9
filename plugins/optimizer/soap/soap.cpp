#include "../due.h"
#include "../moments.h"
#include "../sides.h"

using namespace lopt;

/// SOAP: Adam in the eigenvectors of Shampoo's preconditioners. Of tensors of two dimensions or more, as matrices G of
/// all but the last dimension by the last, with Q, S the bases of rows and columns (the identity at first),
///   m ← β1·m + (1 − β1)·G, v ← β2·v + (1 − β2)·(Qᵀ G S)², both over 1 − βᵗ,
///   p ← p − lr·(Q (Qᵀ m S / (√(v + ε_root) + ε)) Sᵀ + decay·p),
///   L ← β·L + (1 − β)·G Gᵀ, Q ← the orthonormal columns of (L + 10⁻⁵·‖L‖)·Q, and so for R and S: a step of the power
/// iteration, after the first update and every `frequency` ones: bases that turn for the first time once v is there
/// make steps of coordinates that v knows nothing of, and losses jump. The shift keeps directions of which L says
/// nothing as they are. A side that is longer than `longest` keeps the identity; other tensors take Adam.
class Soap final : public Optimizer {
 public:
  explicit Soap(Settings& s)
      : s_(MomentSettings::of(s, 1e-8, 0, 0.003)),
        beta_(s.real("decay_statistics", 0.95).at_least(0).below(1).doc("β of L and R")),
        frequency_(s.integer("frequency", 10).at_least(1).unit("updates").doc("between two steps of the bases")),
        longest_(s.integer("longest", 1024).at_least(1).doc("side that has a basis of its own")),
        decay_(s.rate("weight_decay", 0).at_least(0).doc("share of a parameter, times the step size, that goes")) {}

  Tree init(const Tree& params, const InitContext&) const override {
    Tree state = Moments::start(params);
    for (int side = 0; side < 2; ++side) {
      const auto matrices = [&](double value) {
        return for_side(params, side, longest_,
                        [&](const Tensor&, std::int64_t n) { return identity_matrix(n, value); });
      };
      state.set(statistic_names[side], matrices(0));
      state.set(basis_names[side], matrices(1));
    }
    return state;
  }

  Tree update(const Tree& state, const Tree& grads, const UpdateContext& context) const override {
    const Tree turned = in_bases(grads, state);
    const Moments moments(state, grads, square(turned), s_);
    const Tree direction = s_.direction(in_bases(moments.corrected_mean(s_), state), moments.corrected_variance(s_));
    const Tree step = out_of_bases(direction, state) + decay_.at(context) * state["params"];
    Tree next = moments.with(state["params"] - s_.learning_rate.at(context) * step);
    for (int side = 0; side < 2; ++side) turn(side, state, grads, moments.count, next);
    return next;
  }
  Tree params(const Tree& state) const override { return state["params"]; }

 private:
  static constexpr double shift = 1e-5, most = 1e6;  // of a gradient: the norm of a statistic has its fourth power
  static constexpr const char *statistic_names[] = {"row_statistics", "column_statistics"},
                              *basis_names[] = {"row_basis", "column_basis"};

  /// Qᵀ x S.
  static Tree in_bases(const Tree& x, const Tree& state) {
    return each_matrix(x, state, [](const Tensor& matrix, const Tensor& rows, const Tensor& columns) {
      const Tensor turned = rows.rank() == 2 ? matmul(transpose(rows), matrix) : matrix;
      return columns.rank() == 2 ? matmul(turned, columns) : turned;
    });
  }
  /// Q x Sᵀ.
  static Tree out_of_bases(const Tree& x, const Tree& state) {
    return each_matrix(x, state, [](const Tensor& matrix, const Tensor& rows, const Tensor& columns) {
      const Tensor turned = rows.rank() == 2 ? matmul(rows, matrix) : matrix;
      return columns.rank() == 2 ? matmul(turned, transpose(columns)) : turned;
    });
  }
  /// f(matrix, Q, S) of each tensor of two dimensions or more; others stay.
  template <class Function>
  static Tree each_matrix(const Tree& x, const Tree& state, Function f) {
    std::vector<Tensor> leaves = x.leaves();
    const std::vector<Tensor> rows = state[basis_names[0]].leaves(), columns = state[basis_names[1]].leaves();
    for (std::size_t i = 0; i < leaves.size(); ++i)
      if (leaves[i].rank() >= 2) leaves[i] = reshape(f(as_matrix(leaves[i]), rows[i], columns[i]), leaves[i].shape());
    return x.with_leaves<Tensor>(leaves);
  }

  void turn(int side, const Tree& state, const Tree& grads, const Tensor& count, Tree& next) const {
    const Tree statistics = map(
        [&](const Tensor& statistic, const Tensor& g) {
          if (statistic.rank() != 2) return statistic;
          const Tensor matrix = as_matrix(clamp(g, -most, most));
          const Tensor outer = side == 0 ? matmul(matrix, transpose(matrix)) : matmul(transpose(matrix), matrix);
          return beta_ * statistic + (1 - beta_) * outer;
        },
        state[statistic_names[side]], grads);
    next.set(statistic_names[side], statistics);
    const Tensor due = is_due(count, frequency_) | (count == full({}, 1, DType::int32));
    const auto turn_all = [](const Tree& bases, const std::vector<Tensor>& of) {
      return map(turned, bases.with_leaves<Tensor>(of), bases);
    };
    next.set(basis_names[side], updated_if(due, state[basis_names[side]], statistics.leaves(), turn_all));
  }
  /// A step of the power iteration.
  static Tensor turned(const Tensor& statistic, const Tensor& basis) {
    if (basis.rank() != 2) return basis;
    return orthonormal_columns(matmul(statistic, basis) + shift * norm(statistic) * basis);
  }

  MomentSettings s_;
  double beta_;
  std::int64_t frequency_, longest_;
  Rate decay_;
};

LOPT_PLUGIN(Soap, "soap",
            {.summary = "Adam in the eigenvectors of Shampoo's preconditioners",
             .paper = "Vyas et al., SOAP: improving and stabilizing Shampoo using Adam, ICLR 2025",
             .url = "https://arxiv.org/abs/2409.11321"})
