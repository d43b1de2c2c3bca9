#include "../tensor_statistics.h"

#include <cmath>

using namespace lopt;

namespace {

constexpr std::int64_t features_of_a_tensor = 19, controls = 4;
constexpr const char* hyperparameters[] = {"lr", "beta1", "beta2", "epsilon"};

/// Hyperparameters as they are learned: x = log(lr)/10, log(1 − β)/10, log(ε)/10; bounded where they are used.
Tensor rate_of(const Tensor& x) { return clamp(exp(clamp(10 * x, -40, 40)), 1e-8, 1e3); }
Tensor epsilon_of(const Tensor& x) { return clamp(exp(clamp(10 * x, -40, 40)), 1e-11, 1e4); }
Tensor decay_of(const Tensor& x) { return 1 - exp(clamp(10 * x, -10, 0)); }
Tensor scaled_rate(double lr) { return full({}, 0.1 * std::log(lr)); }
Tensor scaled_decay(double beta) { return full({}, 0.1 * std::log(1 - beta)); }

/// Between −2.5 and 2.5.
Tensor half_log_size(const Tensor& x) { return log_size(x) * 0.5; }

struct Constants {
  double output_scale, decay_strength;
  std::int64_t hidden;
};

/// Adam whose four hyperparameters are each tensor's own; an LSTM over tensors moves them:
///   m ← β1·m + (1 − β1)·g, v ← β2·v + (1 − β2)·g², p ← p − lr·(1 + ε)/(ε + √(v + 1e-10))·m,
///   x ← x + output_scale · controls(LSTM(statistics of p, g, m, v; x)), x each tensor's scaled hyperparameters.
class Update final : public Optimizer {
 public:
  Update(Tree theta, const Constants& constants) : theta_(std::move(theta)), constants_(constants) {}

  Tree init(const Tree& params, const InitContext&) const override {
    const auto count = static_cast<std::int64_t>(params.leaf_count());
    const auto for_each_tensor = [&](const Tensor& row) { return broadcast_to(row, {count, row.dim(-1)}); };
    Tree state{{"params", params}, {"m", zeros_like(params)}, {"rms", zeros_like(params)}};
    for (const char* name : {"hidden", "cell"}) state.set(name, for_each_tensor(theta_["lstm_init_state"][name]));
    for (const char* name : hyperparameters)
      state.set(name, broadcast_to(theta_[std::string("per_layer_") + name], {count}));
    return state;
  }

  Tree update(const Tree& state, const Tree& grads, const UpdateContext&) const override {
    const std::vector<Tensor> p = state["params"].leaves(), m = state["m"].leaves(), v = state["rms"].leaves();
    std::vector<Tensor> g = grads.leaves(), next_p, next_m, next_v, features;
    for (std::size_t i = 0; i < p.size(); ++i) {
      const auto own = [&](const char* name) { return take(state[name], static_cast<std::int64_t>(i), 0); };
      g[i] = clamp(g[i], -1000, 1000);
      next_m.push_back(moving_mean(m[i], g[i], decay_of(own("beta1"))));
      next_v.push_back(moving_mean(v[i], square(g[i]), decay_of(own("beta2"))));
      const Tensor epsilon = epsilon_of(own("epsilon"));
      next_p.push_back(p[i] -
                       rate_of(own("lr")) * (1 + epsilon) / (epsilon + sqrt(next_v.back() + 1e-10)) * next_m.back());
      features.push_back(statistics(p[i], g[i], next_m.back(), next_v.back(), own));
    }
    Tree next{{"params", grads.with_leaves<Tensor>(next_p)},
              {"m", grads.with_leaves<Tensor>(next_m)},
              {"rms", grads.with_leaves<Tensor>(next_v)}};
    move_hyperparameters(state, stack(features, 0), next);
    return next;
  }

  Tree params(const Tree& state) const override { return state["params"]; }

 private:
  /// In the alphabetical order of the JAX package's names.
  template <class Own>
  static Tensor statistics(const Tensor& p, const Tensor& g, const Tensor& m, const Tensor& v, Own own) {
    const Tensor mean_p = mean(p), mean_g = mean(g), mean_m = mean(m), mean_v = mean(v);
    const auto bounded = [&](const char* name) { return clamp(own(name), -5, 5) * 0.2; };
    const auto sign_if = [](bool yes) { return full({}, yes ? 1 : -1); };
    return stack(
        {bounded("beta1"), bounded("beta2"), bounded("epsilon"), sign_if(p.rank() == 1), sign_if(p.rank() == 0),
         bounded("lr"), half_log_size(mean_g), sign(mean_g), half_log_size(mean(abs(g))), half_log_size(mean_m),
         sign(mean_m), half_log_size(mean_p), sign(mean_p), half_log_size(mean_v), sign(mean_v),
         half_log_size(variance(g, mean_g)), half_log_size(variance(m, mean_m)), half_log_size(variance(p, mean_p)),
         half_log_size(variance(v, mean_v))},
        0);
  }

  /// `features` [tensors, 19].
  void move_hyperparameters(const Tree& state, const Tensor& features, Tree& next) const {
    const Tree &cell = theta_["rnn_params"]["rnn"]["linear"],
               &output = theta_["rnn_to_controls_params"]["rnn_to_controls"];
    const RecurrentState recurrent = lstm(features, {state["hidden"], state["cell"]}, cell["w"], cell["b"]);
    const Tensor moves = (matmul(recurrent.hidden, output["w"]) + output["b"]) * constants_.output_scale;
    next.set("hidden", recurrent.hidden);
    next.set("cell", recurrent.cell);
    for (std::int64_t k = 0; k < controls; ++k) {
      const std::string name = hyperparameters[k];
      Tensor x = state[name].leaf() + take(moves, k, 1);
      if (constants_.decay_strength > 0) x = x - (x - theta_["per_layer_" + name]) * constants_.decay_strength;
      // There and back, so that it stays where it has an effect.
      next.set(name, k == 0 ? 0.1 * log(rate_of(x)) : k == 3 ? 0.1 * log(epsilon_of(x)) : 0.1 * log(1 - decay_of(x)));
    }
  }

  Tree theta_;
  Constants constants_;
};

}  // namespace

/// Adam whose rate, decays and ε an LSTM sets for each tensor (`NNAdam` of the JAX package learned_optimization). θ has
/// that package's names, so its weights are read as they are.
class NnAdam final : public LearnedOptimizer {
 public:
  explicit NnAdam(Settings& s)
      : constants_{s.real("output_scale", 0.01).above(0).doc("how fast the hyperparameters move"),
                   s.real("decay_strength", 0)
                       .between(0, 1)
                       .doc("how much they are drawn back to their start each step"),
                   s.integer("lstm_hidden_size", 32).between(1, 1024).doc("units of the LSTM")},
        rate_(s.real("initial_learning_rate", 1e-4).above(0).doc("rate before meta-training")),
        beta1_(s.real("initial_beta1", 0.9).at_least(0).below(1).doc("decay of the mean before meta-training")),
        beta2_(
            s.real("initial_beta2", 0.999).at_least(0).below(1).doc("decay of the mean square before meta-training")),
        epsilon_(s.real("initial_epsilon", 1e-8).above(0).doc("ε before meta-training")) {}

  Tree init(Key key) const override {
    const std::int64_t hidden = constants_.hidden;
    return {{"lstm_init_state", Tree{{"hidden", zeros({1, hidden})}, {"cell", zeros({1, hidden})}}},
            {"per_layer_beta1", scaled_decay(beta1_)},
            {"per_layer_beta2", scaled_decay(beta2_)},
            {"per_layer_epsilon", scaled_rate(epsilon_)},
            {"per_layer_lr", scaled_rate(rate_)},
            {"rnn_params",
             Tree{{"rnn", Tree{{"linear", Tree{{"w", fan_in_weights(key, features_of_a_tensor + hidden, 4 * hidden)},
                                               {"b", zeros({4 * hidden})}}}}}}},
            {"rnn_to_controls_params",
             Tree{{"rnn_to_controls", Tree{{"w", zeros({hidden, controls})}, {"b", zeros({controls})}}}}}};
  }

  std::unique_ptr<Optimizer> opt_fn(const Tree& theta) const override {
    return std::make_unique<Update>(theta, constants_);
  }

 private:
  Constants constants_;
  double rate_, beta1_, beta2_, epsilon_;
};

LOPT_PLUGIN(
    NnAdam, "nn_adam",
    {.summary = "Adam whose rate, decays and ε an LSTM sets for each tensor",
     .paper = "Metz et al., Practical tradeoffs between memory, compute, and performance in learned optimizers, "
              "CoLLAs 2022",
     .url = "https://arxiv.org/abs/2203.11860"})
