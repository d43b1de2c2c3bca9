#include <lopt/plugin.h>

using namespace lopt;

namespace {

struct Decays {
  double momentum, size;
};

/// m ← running mean of g;  v ← running mean of g²;  features (p, m/√v, g/√v);  p ← p − MLP(features) · 0.001 · exp(…)
class Update final : public Optimizer {
 public:
  Update(Tree theta, Decays decays) : theta_(std::move(theta)), decays_(decays) {}

  Tree init(const Tree& params, const InitContext&) const override {
    return {{"params", params}, {"momentum", zeros_like(params)}, {"size", zeros_like(params)}};
  }

  Tree update(const Tree& state, const Tree& grads, const UpdateContext&) const override {
    const Tree momentum = decays_.momentum * state["momentum"] + (1 - decays_.momentum) * grads;
    const Tree size = decays_.size * state["size"] + (1 - decays_.size) * square(grads);
    const std::vector<Tensor> p = state["params"].leaves(), m = momentum.leaves(), v = size.leaves(),
                              g = grads.leaves();
    std::vector<Tensor> next;
    for (std::size_t i = 0; i < p.size(); ++i) {
      const Tensor scale = rsqrt(v[i] + 1e-8);
      const Tensor hidden = relu(matmul(stack({p[i], m[i] * scale, g[i] * scale}, -1), theta_["w0"]) + theta_["b0"]);
      const Tensor out = matmul(hidden, theta_["w1"]) + theta_["b1"];
      next.push_back(p[i] - 0.001 * take(out, 0, -1) * exp(0.01 * take(out, 1, -1)));
    }
    return {{"params", grads.with_leaves<Tensor>(next)}, {"momentum", momentum}, {"size", size}};
  }

  Tree params(const Tree& state) const override { return state["params"]; }

 private:
  Tree theta_;
  Decays decays_;
};

}  // namespace

/// A network applied to each parameter, which sees momentum and gradient by the gradient's running size, as Adam does:
/// what it learns on one task does not depend on the scale of that task's loss (compare Metz et al., Tasks, stability,
/// architecture, and compute: training more effective learned optimizers, 2020).
class RmsMlp final : public LearnedOptimizer {
 public:
  explicit RmsMlp(Settings& s)
      : hidden_(s.integer("hidden", 32).between(1, 4096).doc("width of the hidden layer")),
        decays_{s.real("momentum_decay", 0.9).between(0, 1).doc("share of the old momentum that stays"),
                s.real("size_decay", 0.99).between(0, 1).doc("share of the old mean square that stays")} {}

  Tree init(Key key) const override {
    const std::vector<Key> keys = split(key);
    return {{"w0", normal(keys[0], {3, hidden_})},
            {"b0", zeros({hidden_})},
            {"w1", normal(keys[1], {hidden_, 2})},
            {"b1", zeros({2})}};
  }

  std::unique_ptr<Optimizer> opt_fn(const Tree& theta) const override {
    return std::make_unique<Update>(theta, decays_);
  }

 private:
  int hidden_;
  Decays decays_;
};

LOPT_PLUGIN(RmsMlp, "rms_mlp",
            {.summary = "A per-parameter network that sees the gradient by its running size",
             .paper = "Metz et al., Tasks, stability, architecture, and compute, 2020",
             .url = "https://arxiv.org/abs/2009.11243"})
