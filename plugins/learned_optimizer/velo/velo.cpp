#include "../lstm_and_network.h"
#include "../tensor_statistics.h"

#include <algorithm>

using namespace lopt;
using namespace lopt::lstm_and_network;

namespace {

/// Inputs of the LSTM: progress 9, the loss's history 9, size of the second moment 1, rank 5, variances 3 and 3.
constexpr std::int64_t lstm_inputs = 30, most_rank = 5;

struct Multipliers {
  double step, exponent, mixed;
};

Tensor shown(const Tensor& x) { return 0.5 * log_size(10 * x); }

/// p ← p − step · s · o0 · rms(p) · e^(exponent · o1): for each tensor an LSTM gives s and the shares with which a
/// network is mixed from a bank; the network sees the parameter and gives (o0, o1).
class Update final : public Optimizer {
 public:
  Update(Tree theta, Multipliers multipliers)
      : theta_(std::move(theta)), bank_(theta_["ff_mod_stack"]), multipliers_(multipliers) {}

  Tree init(const Tree& params, const InitContext&) const override {
    const auto rows = [count = static_cast<std::int64_t>(params.leaf_count())](const Tensor& row) {
      return broadcast_to(row, {count, row.dim(-1)});
    };
    const Tree& lstm = theta_["lstm_init_state"];
    Tree state{{"params", params},
               {"loss", LossHistory::start()},
               {"hidden", rows(lstm["hidden"])},
               {"cell", rows(lstm["cell"])},
               {"count", zeros({}, DType::int32)}};
    put_moments(state, params, TensorMoments::start(params));
    return state;
  }

  Tree update(const Tree& state, const Tree& grads, const UpdateContext& context) const override {
    Tree next = state;
    const Tensor count = state["count"].leaf() + 1;
    next.set("count", count);
    const std::vector<Tensor> p = state["params"].leaves(), g = grads.leaves();
    std::vector<TensorMoments> moments = take_moments(state);
    const Tensor hidden = run(state, moments, context, convert(count, DType::float32), next);
    const Tree& lstm = theta_["rnn_params"];
    const Tensor shares = linear(lstm["rnn_to_controls"], hidden), scales = linear(lstm["step_size"], hidden);

    std::vector<Tensor> params;
    for (std::size_t i = 0; i < p.size(); ++i) {
      const auto row = static_cast<std::int64_t>(i);
      const Tensor gradient = clipped(g[i]), share = take(shares, row, 0);
      moments[i] = moments[i].updated(gradient, size_decay);
      const Network network = bank_.mixed(share * (multipliers_.mixed / static_cast<double>(share.dim(0))));
      const Tensor scale = multipliers_.step * reshape(take(scales, row, 0), {});
      params.push_back(p[i] -
                       step_of(outputs(network, p[i], gradient, moments[i]), p[i], multipliers_.exponent) * scale);
    }
    next.set("params", grads.with_leaves<Tensor>(params));
    put_moments(next, grads, moments);
    return next;
  }
  Tree params(const Tree& state) const override { return state["params"]; }

 private:
  Tensor run(const Tree& state, const std::vector<TensorMoments>& moments, const UpdateContext& context,
             const Tensor& count, Tree& next) const {
    const LossHistory history(context.num_steps);
    const Tree losses = history.updated(state["loss"], context.loss, count);
    const Tensor share = embedded_share(context), progress = history.features(losses, count);
    const std::vector<Tensor> p = state["params"].leaves();
    std::vector<Tensor> rows;
    for (std::size_t i = 0; i < p.size(); ++i) {
      std::vector<Tensor> row{share, progress};
      for (Tensor& statistic : statistics(p[i], moments[i])) row.push_back(std::move(statistic));
      rows.push_back(concatenate(row, 0));
    }
    const RecurrentState after = run_lstm(theta_["rnn_params"], stack(rows, 0), {state["hidden"], state["cell"]});
    next.set("loss", losses);
    next.set("hidden", after.hidden);
    next.set("cell", after.cell);
    return after.hidden;
  }

  /// Of the accumulators before this update, over the rms of the tensor: mean of v, how many dimensions are longer than
  /// 1, variance of each m, and of v around each m's mean.
  static std::vector<Tensor> statistics(const Tensor& p, const TensorMoments& moments) {
    const Tensor scale = rsqrt(maximum(mean(square(p)), 1e-9)), size = moments.size * scale;
    std::vector<Tensor> of_momenta, of_sizes;
    for (const Tensor& momentum : moments.momenta) {
      const Tensor m = momentum * scale, mean_m = mean(m);
      of_momenta.push_back(variance(m, mean_m));
      of_sizes.push_back(variance(size, mean_m));
    }
    std::vector<float> rank(most_rank, 0.0F);
    const auto longer =
        static_cast<std::size_t>(std::ranges::count_if(p.shape(), [](std::int64_t n) { return n > 1; }));
    if (longer < rank.size()) rank[longer] = 1;
    return {shown(reshape(mean(size), {1})), Tensor(Array({most_rank}, rank)), shown(stack(of_momenta, 0)),
            shown(stack(of_sizes, 0))};
  }

  Tree theta_;
  Bank bank_;
  Multipliers multipliers_;
};

}  // namespace

/// VeLO: for each tensor an LSTM that mixes the weights of a small network from a bank of them. θ has the names of the
/// JAX package learned_optimization, with its faults of loss and state features mended.
class Velo final : public LearnedOptimizer {
 public:
  explicit Velo(Settings& s)
      : lstm_hidden_(s.integer("lstm_hidden", 512).between(1, 4096).doc("units of the LSTM")),
        networks_(s.integer("networks", 256).between(1, 4096).doc("in the bank")),
        hidden_(s.integer("hidden_size", 4).between(1, 4096).doc("width of the networks' hidden layers")),
        multipliers_{s.real("step_multiplier", 0.001).above(0).doc("scale of the step"),
                     s.real("exp_multiplier", 0.001).above(0).at_most(1).doc("scale of the logarithm of its size"),
                     s.real("ff_multiplier", 100).above(0).doc("scale of the mixed weights")} {}

  Tree init(Key key) const override { return initial_theta(key, lstm_inputs, lstm_hidden_, networks_, hidden_); }
  std::unique_ptr<Optimizer> opt_fn(const Tree& theta) const override {
    return std::make_unique<Update>(theta, multipliers_);
  }

 private:
  std::int64_t lstm_hidden_, networks_, hidden_;
  Multipliers multipliers_;
};

LOPT_PLUGIN(Velo, "velo",
            {.summary = "For each tensor an LSTM that mixes a network from a bank",
             .paper = "Metz et al., VeLO: Training versatile learned optimizers by scaling up, 2022",
             .url = "https://arxiv.org/abs/2211.09760"})
