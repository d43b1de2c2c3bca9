#include "../moments.h"

#include <cmath>

using namespace lopt;

/// Muon: of tensors of two dimensions or more, as matrices of all but the last dimension by the last,
///   m ← momentum·m + g, u = g + momentum·m (or m, without `nesterov`), p ← p − lr·(√max(1, rows/columns) · O +
///   decay·p),
/// O being u made nearly orthogonal by five iterations of Newton and Schulz. Other tensors take Adam.
class Muon final : public Optimizer {
 public:
  explicit Muon(Settings& s)
      : learning_rate_(s.rate("learning_rate", 0.02).above(0).doc("step size of matrices")),
        momentum_(s.real("momentum", 0.95).at_least(0).below(1).doc("share of the old sum of gradients that stays")),
        nesterov_(s.boolean("nesterov", true).doc("look a step ahead")),
        iterations_(s.integer("iterations", 5).between(1, 50).doc("of Newton and Schulz")),
        decay_(s.rate("weight_decay", 0).at_least(0).doc("share of a parameter, times the step size, that goes")),
        adam_(s.rate("adam_learning_rate", 0.0003).above(0).doc("step size of the others")),
        beta1_(s.real("beta1", 0.9).at_least(0).below(1).doc("Adam's decay of the mean of gradients")),
        beta2_(s.real("beta2", 0.95).at_least(0).below(1).doc("Adam's decay of the mean of squares")),
        epsilon_(s.real("epsilon", 1e-10).at_least(0).doc("added outside Adam's root")),
        epsilon_root_(s.real("epsilon_root", 0).at_least(0).doc("added inside it")) {}

  Tree init(const Tree& params, const InitContext&) const override {
    const Tree nothing = zeros_like(params);
    return {{"params", params}, {"mean", nothing}, {"variance", sizes(nothing)}, {"count", zeros({}, DType::int32)}};
  }
  Tree update(const Tree& state, const Tree& grads, const UpdateContext& context) const override {
    const Tensor count = state["count"].leaf() + 1, t = convert(count, DType::float32);
    const std::vector<Tensor> p = state["params"].leaves(), g = grads.leaves(), mean = state["mean"].leaves(),
                              variance = state["variance"].leaves();
    std::vector<Tensor> next, means, variances;
    for (std::size_t i = 0; i < p.size(); ++i) {
      const bool matrix = p[i].rank() >= 2;
      means.push_back(matrix ? momentum_ * mean[i] + g[i] : beta1_ * mean[i] + (1 - beta1_) * g[i]);
      variances.push_back(matrix ? variance[i] : beta2_ * variance[i] + (1 - beta2_) * square(g[i]));
      const Tensor direction = matrix ? orthogonalized(nesterov_ ? g[i] + momentum_ * means[i] : means[i])
                                      : means[i] / (1 - power(beta1_, t)) /
                                            (sqrt(variances[i] / (1 - power(beta2_, t)) + epsilon_root_) + epsilon_);
      const Tensor rate = (matrix ? learning_rate_ : adam_).at(context);
      next.push_back(p[i] - rate * (direction + decay_.at(context) * p[i]));
    }
    return {{"params", grads.with_leaves<Tensor>(next)},
            {"mean", grads.with_leaves<Tensor>(means)},
            {"variance", grads.with_leaves<Tensor>(variances)},
            {"count", count}};
  }
  Tree params(const Tree& state) const override { return state["params"]; }

 private:
  /// Matrices have no second moment.
  static Tree sizes(const Tree& nothing) {
    return map([](const Tensor& x) { return x.rank() >= 2 ? zeros({}) : x; }, nothing);
  }
  Tensor orthogonalized(const Tensor& u) const {
    const Tensor matrix = reshape(u, {-1, u.dim(-1)});
    const double scale =
        std::sqrt(std::max(1.0, static_cast<double>(matrix.dim(0)) / static_cast<double>(matrix.dim(1))));
    return reshape(scale * newton_schulz(matrix, iterations_), u.shape());
  }

  Rate learning_rate_;
  double momentum_;
  bool nesterov_;
  int iterations_;
  Rate decay_, adam_;
  double beta1_, beta2_, epsilon_, epsilon_root_;
};

LOPT_PLUGIN(Muon, "muon",
            {.summary = "Orthogonal steps of matrices, Adam for the rest",
             .paper = "Jordan et al., Muon: an optimizer for hidden layers in neural networks, 2024",
             .url = "https://kellerjordan.github.io/posts/muon/"})
