#include "../lstm_and_network.h"

using namespace lopt;
using namespace lopt::lstm_and_network;

namespace {

struct Multipliers {
  double step, exponent;
};

/// p ← p − step · s · o0 · rms(p) · e^(exponent · o1), where a network sees the parameter and gives (o0, o1), and an
/// LSTM sees how far the training is and how the loss went, and gives s = e^(its output) / 10; in phase 1, s = 1.
class Update final : public Optimizer {
 public:
  Update(Tree theta, Multipliers multipliers, bool scheduled)
      : theta_(std::move(theta)),
        network_(Bank(theta_["ff_mod_stack"]).mixed(full({1}, 1))),
        multipliers_(multipliers),
        scheduled_(scheduled) {}

  Tree init(const Tree& params, const InitContext&) const override {
    const Tree& lstm = theta_["lstm_init_state"];
    Tree state{{"params", params},
               {"loss", LossHistory::start()},
               {"hidden", lstm["hidden"]},
               {"cell", lstm["cell"]},
               {"count", zeros({}, DType::int32)}};
    put_moments(state, params, TensorMoments::start(params));
    return state;
  }

  Tree update(const Tree& state, const Tree& grads, const UpdateContext& context) const override {
    Tree next = state;
    const Tensor count = state["count"].leaf() + 1;
    next.set("count", count);
    Tensor scale = full({}, multipliers_.step);
    if (scheduled_) scale = scale * schedule(state, context, convert(count, DType::float32), next);
    const std::vector<Tensor> p = state["params"].leaves(), g = grads.leaves();
    std::vector<TensorMoments> moments = take_moments(state);
    std::vector<Tensor> params;
    for (std::size_t i = 0; i < p.size(); ++i) {
      const Tensor gradient = clipped(g[i]);
      moments[i] = moments[i].updated(gradient, size_decay);
      params.push_back(p[i] -
                       step_of(outputs(network_, p[i], gradient, moments[i]), p[i], multipliers_.exponent) * scale);
    }
    next.set("params", grads.with_leaves<Tensor>(params));
    put_moments(next, grads, moments);
    return next;
  }
  Tree params(const Tree& state) const override { return state["params"]; }

 private:
  /// s. All tensors give the LSTM the same inputs, so that it is run once.
  Tensor schedule(const Tree& state, const UpdateContext& context, const Tensor& count, Tree& next) const {
    const LossHistory history(context.num_steps);
    const Tree losses = history.updated(state["loss"], context.loss, count);
    const Tensor inputs = concatenate({embedded_share(context), history.features(losses, count)}, 0);
    const Tree& lstm = theta_["rnn_params"];
    const RecurrentState after = run_lstm(lstm, reshape(inputs, {1, -1}), {state["hidden"], state["cell"]});
    next.set("loss", losses);
    next.set("hidden", after.hidden);
    next.set("cell", after.cell);
    const Tensor log_scale = reshape(linear(lstm["step_size"], after.hidden), {});
    return exp(clamp(log_scale, -most_log_size, most_log_size)) * 0.1;
  }

  Tree theta_;
  Network network_;
  Multipliers multipliers_;
  bool scheduled_;
};

}  // namespace

/// Celo: a small network as rule and an LSTM as its learned schedule. It is trained in two phases: `phase: 1` with
/// `freeze: ["lstm_init_state", "rnn_params"]`, then from that θ `phase: 2` with `freeze: ["ff_mod_stack"]`. θ has the
/// names of the JAX release.
class Celo final : public LearnedOptimizer {
 public:
  explicit Celo(Settings& s)
      : lstm_hidden_(s.integer("lstm_hidden", 64).between(1, 4096).doc("units of the LSTM")),
        hidden_(s.integer("hidden_size", 4).between(1, 4096).doc("width of the network's hidden layers")),
        phase_(s.integer("phase", 2).between(1, 2).doc("1: the rule alone; 2: with its schedule")),
        multipliers_{s.real("step_multiplier", 0.001).above(0).doc("scale of the step"),
                     s.real("exp_multiplier", 0.001).above(0).at_most(1).doc("scale of the logarithm of its size")} {}

  Tree init(Key key) const override { return initial_theta(key, 18, lstm_hidden_, 1, hidden_); }
  std::unique_ptr<Optimizer> opt_fn(const Tree& theta) const override {
    return std::make_unique<Update>(theta, multipliers_, phase_ == 2);
  }

 private:
  std::int64_t lstm_hidden_, hidden_;
  int phase_;
  Multipliers multipliers_;
};

LOPT_PLUGIN(Celo, "celo",
            {.summary = "A small network as rule, an LSTM as its schedule",
             .paper = "Celo: Training versatile learned optimizers on a compute diet, 2025",
             .url = "https://arxiv.org/abs/2501.12670"})
