#include "../step_size.h"

#include <cmath>

using namespace lopt;

namespace {

constexpr double decays[] = {0.9, 0.99, 0.999};
constexpr double size_decay = 0.999;
constexpr std::int64_t own_features = 28, all_features = own_features + 11;
/// Bound of gradients, far beyond where a problem has diverged: what is made of them is finite.
constexpr double most = 1e8;

/// 1 − e^(10 · (log(1 − d₀)/10 + δ)): a decay that begins at d₀, moved by a weight δ.
Tensor moved(double decay, const Tensor& delta) { return 1 - exp(10 * (std::log(1 - decay) / 10 + delta)); }

/// The accumulators of one parameter tensor.
struct Moments {
  std::vector<Tensor> momenta;
  Tensor size;
  std::vector<FactoredMoment> factored;
};

/// Features of one tensor, each over its root mean square in it, and the iteration's embedding, through a network:
///   p ← p − step · o0 · e^(exponent · o1).
class Update final : public Optimizer {
 public:
  Update(const Tree& theta, StepMultipliers multipliers) : multipliers_(multipliers) {
    for (int k = 0; k < 3; ++k) {
      momentum_decays_.push_back(moved(decays[k], take(theta["momentum_decays"], k, 0)));
      factored_decays_.push_back(clamp_decay(moved(decays[k], take(theta["adafactor_decays"], k, 0))));
      weights_.push_back(theta["nn"]["~"]["w" + std::to_string(k)]);
      biases_.push_back(theta["nn"]["~"]["b" + std::to_string(k)]);
    }
    size_decay_ = clamp_decay(moved(size_decay, take(theta["rms_decays"], 0, 0)));
  }

  Tree init(const Tree& params, const InitContext&) const override {
    std::vector<Moments> moments;
    for (const Tensor& p : params.leaves()) {
      const FactoredMoment start = FactoredMoment::start(p);
      moments.push_back({{zeros_like(p), zeros_like(p), zeros_like(p)}, zeros_like(p), {start, start, start}});
    }
    return state_of(params, params.leaves(), moments);
  }

  Tree update(const Tree& state, const Tree& grads, const UpdateContext& context) const override {
    const Tensor embedding = step_embedding(context.iteration);
    const std::vector<Tensor> p = state["params"].leaves(), g = grads.leaves();
    std::vector<Moments> moments;
    std::vector<Tensor> next;
    for (std::size_t i = 0; i < p.size(); ++i) {
      const Tensor gradient = clamp(g[i], -most, most);
      moments.push_back(updated(state, i, gradient));
      std::vector<Tensor> features = features_of(p[i], gradient, moments.back());
      for (Tensor& feature : features) feature = normalized_by_moment(feature, 1e-5);
      const Tensor out = dense_network(stack(features, -1), embedding, weights_, biases_);
      const Tensor size = step_size(out, multipliers_.exponent);
      next.push_back(p[i] - take(out, 0, -1) * size * multipliers_.step);
    }
    return state_of(grads, next, moments);
  }

  Tree params(const Tree& state) const override { return state["params"]; }

 private:
  static Tensor clamp_decay(const Tensor& decay) { return clamp(decay, 0, 1); }

  static Tree state_of(const Tree& like, const std::vector<Tensor>& params, const std::vector<Moments>& moments) {
    const auto tree = [&](auto leaf_of) {
      std::vector<Tensor> leaves;
      for (const Moments& of_leaf : moments) leaves.push_back(leaf_of(of_leaf));
      return like.with_leaves<Tensor>(leaves);
    };
    Tree state{{"params", like.with_leaves<Tensor>(params)}, {"size", tree([](const Moments& m) { return m.size; })}};
    for (std::size_t k = 0; k < 3; ++k) {
      const std::string number = std::to_string(k);
      state.set("momentum" + number, tree([k](const Moments& m) { return m.momenta[k]; }));
      state.set("row" + number, tree([k](const Moments& m) { return m.factored[k].row; }));
      state.set("column" + number, tree([k](const Moments& m) { return m.factored[k].column; }));
    }
    return state;
  }

  Moments updated(const Tree& state, std::size_t leaf, const Tensor& gradient) const {
    Moments result;
    result.size = moving_mean(state["size"].leaves()[leaf], square(gradient), size_decay_);
    for (std::size_t k = 0; k < 3; ++k) {
      const std::string number = std::to_string(k);
      result.momenta.push_back(moving_mean(state["momentum" + number].leaves()[leaf], gradient, momentum_decays_[k]));
      const FactoredMoment before{state["row" + number].leaves()[leaf], state["column" + number].leaves()[leaf]};
      result.factored.push_back(before.updated(gradient, factored_decays_[k]));
    }
    return result;
  }

  /// g, p, m, v, m/√v, 1/√v, f, rows, columns, 1/√rows, 1/√columns, m · r·c: groups of one or three.
  static std::vector<Tensor> features_of(const Tensor& p, const Tensor& gradient, const Moments& moments) {
    const Shape& shape = p.shape();
    const bool factors = p.rank() >= 2;
    const Tensor inverse = rsqrt(moments.size + 1e-6);
    std::vector<Tensor> features{gradient, p};
    const auto add = [&](auto feature) {
      for (std::size_t k = 0; k < 3; ++k) features.push_back(feature(moments.momenta[k], moments.factored[k]));
    };
    add([](const Tensor& m, const FactoredMoment&) { return m; });
    features.push_back(moments.size);
    add([&](const Tensor& m, const FactoredMoment&) { return m * inverse; });
    features.push_back(inverse);
    add([&](const Tensor&, const FactoredMoment& f) { return gradient * f.inverse_root(shape); });
    add([&](const Tensor&, const FactoredMoment& f) { return f.row_of(shape); });
    add([&](const Tensor&, const FactoredMoment& f) { return f.column_of(shape); });
    add([&](const Tensor&, const FactoredMoment& f) { return rsqrt(f.row_of(shape) + 1e-8); });
    add([&](const Tensor&, const FactoredMoment& f) { return rsqrt(f.column_of(shape) + 1e-8); });
    add([&](const Tensor& m, const FactoredMoment& f) {
      return m * (factors ? f.inverse_root(shape) : rsqrt(f.row + 1e-6));
    });
    return features;
  }

  std::vector<Tensor> momentum_decays_, factored_decays_, weights_, biases_;
  Tensor size_decay_;
  StepMultipliers multipliers_;
};

}  // namespace

/// A small per-parameter network on Adafactor's accumulators (`AdafacMLPLOpt` of the JAX package learned_optimization;
/// "small fc" of the paper): 39 features, 4 and 4 hidden units, decays that are learned too. θ has that package's
/// names.
class AdafacMlpLopt final : public LearnedOptimizer {
 public:
  explicit AdafacMlpLopt(Settings& s)
      : hidden_(s.integer("hidden_size", 4).between(1, 4096).doc("width of the hidden layers")),
        multipliers_(s, "step_mult", "exp_mult") {}

  Tree init(Key key) const override {
    const std::vector<Key> keys = split(key, 3);
    const std::int64_t widths[] = {all_features, hidden_, hidden_, 2};
    std::vector<Tree::Entry> layers;
    for (std::size_t i = 0; i < 3; ++i) {
      layers.emplace_back("w" + std::to_string(i),
                          normal(keys[i], {widths[i], widths[i + 1]}) / std::sqrt(static_cast<double>(widths[i])));
      layers.emplace_back("b" + std::to_string(i), zeros({widths[i + 1]}));
    }
    return {{"momentum_decays", zeros({3})},
            {"rms_decays", zeros({1})},
            {"adafactor_decays", zeros({3})},
            {"nn", Tree{{"~", Tree(std::move(layers))}}}};
  }

  std::unique_ptr<Optimizer> opt_fn(const Tree& theta) const override {
    return std::make_unique<Update>(theta, multipliers_);
  }

 private:
  int hidden_;
  StepMultipliers multipliers_;
};

LOPT_PLUGIN(
    AdafacMlpLopt, "adafac_mlp_lopt",
    {.summary = "A small network on Adafactor's accumulators",
     .paper = "Metz et al., Practical tradeoffs between memory, compute, and performance in learned optimizers, "
              "CoLLAs 2022",
     .url = "https://arxiv.org/abs/2203.11860"})
