#include "../step_size.h"

#include <cmath>

using namespace lopt;

namespace {

constexpr double decays[] = {0.1, 0.5, 0.9, 0.99, 0.999, 0.9999};
constexpr std::int64_t momenta = std::size(decays), own_features = 2 + momenta, all_features = own_features + 11;

/// m_d ← d·m_d + (1 − d)·g for six decays; features g, p and m_d, each over its root mean square in the tensor, and
/// tanh of the iteration at eleven scales; (o0, o1) = network(features);  p ← p − step · o0 · e^(exponent · o1).
class Update final : public Optimizer {
 public:
  Update(const Tree& theta, StepMultipliers multipliers) : multipliers_(multipliers) {
    for (const char* layer : {"linear_0", "linear_1", "linear_2"}) {
      const Tree& parameters = theta["mlp"]["~"][layer];
      weights_.push_back(parameters["w"]);
      biases_.push_back(parameters["b"]);
    }
  }

  Tree init(const Tree& params, const InitContext&) const override {
    Tree state{{"params", params}};
    for (std::size_t k = 0; k < momenta; ++k) state.set("momentum" + std::to_string(k), zeros_like(params));
    return state;
  }

  Tree update(const Tree& state, const Tree& grads, const UpdateContext& context) const override {
    const Tensor embedding = step_embedding(context.iteration);
    Tree next{{"params", grads}};
    std::vector<std::vector<Tensor>> of_leaf(grads.leaf_count());
    const std::vector<Tensor> p = state["params"].leaves(), g = grads.leaves();
    for (std::size_t i = 0; i < p.size(); ++i) of_leaf[i] = {g[i], p[i]};
    for (std::size_t k = 0; k < momenta; ++k) {
      const std::string name = "momentum" + std::to_string(k);
      const Tree momentum = moving_mean(state[name], grads, decays[k]);
      for (std::size_t i = 0; i < p.size(); ++i) of_leaf[i].push_back(momentum.leaves()[i]);
      next.set(name, momentum);
    }
    std::vector<Tensor> params;
    for (std::size_t i = 0; i < p.size(); ++i) {
      for (Tensor& feature : of_leaf[i]) feature = normalized_by_moment(feature, 1e-5);
      const Tensor out = dense_network(stack(of_leaf[i], -1), embedding, weights_, biases_);
      const Tensor size = step_size(out, multipliers_.exponent);
      params.push_back(p[i] - take(out, 0, -1) * size * multipliers_.step);
    }
    next.set("params", grads.with_leaves<Tensor>(params));
    return next;
  }

  Tree params(const Tree& state) const override { return state["params"]; }

 private:
  std::vector<Tensor> weights_, biases_;
  StepMultipliers multipliers_;
};

}  // namespace

/// The per-parameter network of the JAX package learned_optimization (`MLPLOpt`): six momenta, 19 features, 32 and 32
/// hidden units. θ has that package's names, so its weights are read as they are.
class MlpLopt final : public LearnedOptimizer {
 public:
  explicit MlpLopt(Settings& s)
      : hidden_(s.integer("hidden_size", 32).between(1, 4096).doc("width of the hidden layers")),
        multipliers_(s, "step_mult", "exp_mult") {}

  Tree init(Key key) const override {
    const std::vector<Key> keys = split(key, 3);
    const std::int64_t widths[] = {all_features, hidden_, hidden_, 2};
    std::vector<Tree::Entry> layers;
    for (std::size_t i = 0; i < 3; ++i)
      layers.emplace_back("linear_" + std::to_string(i), Tree{{"w", normal(keys[i], {widths[i], widths[i + 1]}) /
                                                                        std::sqrt(static_cast<double>(widths[i]))},
                                                              {"b", zeros({widths[i + 1]})}});
    return {{"mlp", Tree{{"~", Tree(std::move(layers))}}}};
  }

  std::unique_ptr<Optimizer> opt_fn(const Tree& theta) const override {
    return std::make_unique<Update>(theta, multipliers_);
  }

 private:
  int hidden_;
  StepMultipliers multipliers_;
};

LOPT_PLUGIN(
    MlpLopt, "mlp_lopt",
    {.summary = "A network on six momenta, each parameter by itself",
     .paper = "Metz et al., Practical tradeoffs between memory, compute, and performance in learned optimizers, "
              "CoLLAs 2022",
     .url = "https://arxiv.org/abs/2203.11860"})
