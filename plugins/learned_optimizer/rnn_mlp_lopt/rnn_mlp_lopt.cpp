#include "../step_size.h"
#include "../tensor_statistics.h"

#include <cmath>
#include <numbers>

using namespace lopt;

namespace {

constexpr double decays[] = {0.5, 0.9, 0.99, 0.999, 0.9999};
constexpr std::size_t momenta = std::size(decays);
/// Features of a tensor for the LSTM and of a parameter for the network, without what one sends to the other.
constexpr std::int64_t tensor_features = 18, parameter_features = 37;
/// Gradients are clipped at ten times their running root mean square.
constexpr double clip_decay = 0.99, clip_multiple = 10, loss_decay = 0.9;

struct Sizes {
  std::int64_t hidden, layers, from_mlp, from_lstm, to_mlp, lstm;
};
/// sin(t / (s·π)) for s = 1, 3, 10, … 100,000.
Tensor sine_embedding(const Tensor& iteration) {
  constexpr float scales[] = {1, 3, 10, 30, 100, 300, 1e3F, 3e3F, 1e4F, 3e4F, 1e5F};
  const Tensor scale(Array({std::ssize(scales)}, std::span<const float>(scales)));
  return sin(convert(iteration, DType::float32) / (scale * std::numbers::pi));
}

/// One tensor of the inner problem.
struct Leaf {
  Tensor p, g;
  std::vector<Tensor> m, v;  // of each decay
};

/// An LSTM over tensors and a network over parameters that talk to each other: the LSTM sees statistics of its tensor
/// and the mean of what the network has sent, the network sees features of its parameter and what the LSTM sends.
///   (o0, o1, message) = network(features, from the LSTM);  p ← p − step · o0 · e^(exponent · o1).
class Update final : public Optimizer {
 public:
  Update(Tree theta, const Sizes& sizes, StepMultipliers multipliers)
      : theta_(std::move(theta)), multipliers_(multipliers) {
    for (std::int64_t i = 0; i <= sizes.layers; ++i) {
      const Tree& layer = theta_["ffmod_params"]["mlp"]["~"]["linear_" + std::to_string(i)];
      weights_.push_back(layer["w"]);
      biases_.push_back(layer["b"]);
    }
  }

  Tree init(const Tree& params, const InitContext&) const override {
    const auto count = static_cast<std::int64_t>(params.leaf_count());
    const auto rows = [&](const Tensor& row) { return broadcast_to(row, {count, row.dim(-1)}); };
    Tree state{{"params", params},
               {"hidden", rows(theta_["lstm_init_state"]["hidden"])},
               {"cell", rows(theta_["lstm_init_state"]["cell"])},
               {"from_mlp", rows(theta_["initial_from_mlp"])},
               {"from_lstm", theta_["initial_from_lstm"]},
               {"loss_mean", zeros({})},
               {"loss_variance", zeros({})},
               {"clip_count", full({}, 1)},
               {"clip_size", full({}, 1 - clip_decay)},
               {"count", zeros({}, DType::int32)}};
    for (std::size_t k = 0; k < momenta; ++k)
      for (const char* name : {"m", "v"}) state.set(name + std::to_string(k), zeros_like(params));
    return state;
  }

  Tree update(const Tree& state, const Tree& grads, const UpdateContext& context) const override {
    Tree next = state;
    next.set("count", state["count"].leaf() + 1);
    const Tensor loss_features = features_of_loss(state, context.loss, next);
    const std::vector<Leaf> leaves = accumulated(state, clipped(state, grads, next), next);

    const Tensor lstm_out = run_lstm(state, leaves, loss_features, next);
    const Tensor to_network = linear(lstm_out, "rnn_to_ff_params", "rnn_to_ff");
    std::vector<Tensor> params, messages;
    for (std::size_t i = 0; i < leaves.size(); ++i) {
      const Tensor shared = concatenate({sine_embedding(state["count"]), facts(leaves[i], leaves.size()),
                                         take(to_network, static_cast<std::int64_t>(i), 0)},
                                        0);
      const Tensor out = dense_network(stack(features_of_parameters(leaves[i]), -1), shared, weights_, biases_);
      const Tensor size = step_size(out, multipliers_.exponent);
      params.push_back(leaves[i].p - take(out, 0, -1) * size * multipliers_.step);
      messages.push_back(
          mean(slice(reshape(out, {-1, out.dim(-1)}), {0, 2}, {element_count(leaves[i].p.shape()), out.dim(-1)}), {0}));
    }
    next.set("params", grads.with_leaves<Tensor>(params));
    next.set("from_mlp", stack(messages, 0));
    return next;
  }

  Tree params(const Tree& state) const override { return state["params"]; }

 private:
  Tensor linear(const Tensor& x, const char* parameters, const char* layer) const {
    return matmul(x, theta_[parameters][layer]["w"]) + theta_[parameters][layer]["b"];
  }

  /// The loss and the validation loss, which is never told here and counts as 0, over the spread of past losses: [2].
  static Tensor features_of_loss(const Tree& state, const Tensor& loss, Tree& next) {
    const Tensor mean = moving_mean(state["loss_mean"].leaf(), loss, loss_decay);
    const Tensor variance = moving_mean(state["loss_variance"].leaf(), square(mean - loss), loss_decay);
    next.set("loss_mean", mean);
    next.set("loss_variance", variance);
    const Tensor count = convert(state["count"].leaf() + 1, DType::float32);
    const Tensor correction = 1 / (1 - power(Tensor(loss_decay), count) + 1e-8);
    const auto feature = [&](const Tensor& x) {
      return clamp((x - mean * correction) * rsqrt(variance * correction + 1e-8), -5, 5);
    };
    return stack({feature(loss), feature(zeros({}))}, 0);
  }

  static std::vector<Tensor> clipped(const Tree& state, const Tree& grads, Tree& next) {
    const Tensor count = state["clip_count"], size = state["clip_size"];
    const Tensor most = size / (1 - power(Tensor(clip_decay), count)) * clip_multiple;
    std::vector<Tensor> result;
    Tensor total = zeros({});
    for (const Tensor& g : grads.leaves()) {
      result.push_back(maximum(minimum(g, most), -most));
      total = total + mean(square(result.back()));
    }
    next.set("clip_count", count + 1);
    next.set("clip_size",
             moving_mean(size, sqrt(1e-8 + total / static_cast<double>(result.size())), Tensor(clip_decay)));
    return result;
  }

  static std::vector<Leaf> accumulated(const Tree& state, const std::vector<Tensor>& gradients, Tree& next) {
    const std::vector<Tensor> p = state["params"].leaves();
    std::vector<Leaf> leaves;
    for (std::size_t i = 0; i < p.size(); ++i) leaves.push_back({p[i], gradients[i], {}, {}});
    const Tree& like = state["params"];
    for (std::size_t k = 0; k < momenta; ++k) {
      const std::string m = "m" + std::to_string(k), v = "v" + std::to_string(k);
      const Tree g = like.with_leaves<Tensor>(gradients);
      next.set(m, moving_mean(state[m], g, decays[k]));
      next.set(v, moving_mean(state[v], square(g), decays[k]));
      for (std::size_t i = 0; i < p.size(); ++i) {
        leaves[i].m.push_back(next[m].leaves()[i]);
        leaves[i].v.push_back(next[v].leaves()[i]);
      }
    }
    return leaves;
  }

  /// What the LSTM gives for each tensor: [tensors, units].
  Tensor run_lstm(const Tree& state, const std::vector<Leaf>& leaves, const Tensor& loss_features, Tree& next) const {
    std::vector<Tensor> rows;
    for (std::size_t i = 0; i < leaves.size(); ++i)
      rows.push_back(concatenate({state["from_lstm"], take(state["from_mlp"], static_cast<std::int64_t>(i), 0),
                                  statistics(leaves[i], loss_features)},
                                 0));
    const Tree& cell = theta_["rnn_params"]["rnn"]["linear"];
    const RecurrentState after = lstm(stack(rows, 0), {state["hidden"], state["cell"]}, cell["w"], cell["b"]);
    next.set("hidden", after.hidden);
    next.set("cell", after.cell);
    next.set("from_lstm", mean(linear(after.hidden, "rnn_to_in_params", "rnn_to_in"), {0}));
    return after.hidden;
  }

  /// In the alphabetical order of the JAX package's names.
  static Tensor statistics(const Leaf& leaf, const Tensor& loss_features) {
    const Tensor m = stack(leaf.m, -1), v = stack(leaf.v, -1);
    const Tensor mean_m = mean(m), mean_v = mean(v), mean_p = mean(leaf.p);
    std::vector<float> lengths(4, -1);  // log(1) − 1
    for (std::size_t i = 0; i < std::min<std::size_t>(leaf.p.shape().size(), 4); ++i)
      lengths[i] = static_cast<float>(std::log(static_cast<double>(leaf.p.shape()[i])) - 1);
    return concatenate(
        {stack({log_size(norm(leaf.g)), full({}, leaf.p.rank() == 0 ? 1 : -1), log_size(mean_m), sign(mean_m),
                log_size(mean_v), sign(mean_v), log_size(mean_p), sign(mean_p), log_size(norm(leaf.p))},
               0),
         Tensor(Array({4}, std::span<const float>(lengths))), loss_features,
         stack({log_size(variance(m, mean_m)), log_size(variance(v, mean_v)), log_size(variance(leaf.p, mean_p))}, 0)},
        0);
  }

  static std::vector<Tensor> features_of_parameters(const Leaf& leaf) {
    std::vector<Tensor> features{leaf.g, leaf.p, log(abs(leaf.p) + 1e-8)};
    const auto add = [&](auto feature) {
      for (std::size_t k = 0; k < momenta; ++k) features.push_back(feature(leaf.m[k], leaf.v[k]));
    };
    add([](const Tensor& m, const Tensor&) { return m; });
    add([](const Tensor&, const Tensor& v) { return v; });
    add([](const Tensor& m, const Tensor& v) { return m * rsqrt(v + 1e-6); });
    add([](const Tensor&, const Tensor& v) { return rsqrt(v + 1e-6); });
    for (Tensor& feature : features) feature = normalized_by_moment(feature, 1e-5);
    return features;
  }
  /// Number of tensors, length and size of this one: [3].
  static Tensor facts(const Leaf& leaf, std::size_t tensors) {
    const auto size = static_cast<double>(element_count(leaf.p.shape()));
    return stack(
        {full({}, std::log(static_cast<double>(tensors)) - 1), log(norm(leaf.p) + 1e-8), full({}, std::log(size))}, 0);
  }

  Tree theta_;
  StepMultipliers multipliers_;
  std::vector<Tensor> weights_, biases_;
};

}  // namespace

/// A network for each parameter and an LSTM for each tensor (`RNNMLPLOpt` of the JAX package learned_optimization). θ
/// has that package's names, so its weights are read as they are.
class RnnMlpLopt final : public LearnedOptimizer {
 public:
  explicit RnnMlpLopt(Settings& s)
      : sizes_{s.integer("hidden_size", 32).between(1, 4096).doc("width of the network's hidden layers"),
               s.integer("hidden_layer", 2).between(1, 16).doc("how many hidden layers"),
               s.integer("from_mlp_size", 16).between(1, 1024).doc("numbers that the network sends to the LSTM"),
               s.integer("from_lstm_size", 18).between(1, 1024).doc("numbers that the LSTMs send to each other"),
               s.integer("lstm_to_ff", 17).between(1, 1024).doc("numbers that the LSTM sends to the network"),
               s.integer("lstm_hidden_size", 64).between(1, 1024).doc("units of the LSTM")},
        multipliers_(s, "step_multiplier", "magnitude_rate") {}

  Tree init(Key key) const override {
    const std::vector<Key> keys = split(key, 6);
    const auto layer = [](const Key& k, std::int64_t in, std::int64_t out) {
      return Tree{{"w", fan_in_weights(k, in, out)}, {"b", zeros({out})}};
    };
    const auto row = [](const Key& k, std::int64_t length) { return reshape(fan_in_weights(k, length, 1), {length}); };
    std::vector<Tree::Entry> network;
    const std::vector<Key> of_layer = split(keys[5], static_cast<int>(sizes_.layers) + 1);
    std::int64_t width = parameter_features + sizes_.to_mlp;
    for (std::int64_t i = 0; i <= sizes_.layers; ++i) {
      const std::int64_t out = i < sizes_.layers ? sizes_.hidden : 2 + sizes_.from_mlp;
      network.emplace_back("linear_" + std::to_string(i), layer(of_layer[static_cast<std::size_t>(i)], width, out));
      width = out;
    }
    const std::int64_t lstm_inputs = tensor_features + sizes_.from_lstm + sizes_.from_mlp;
    return {{"ffmod_params", Tree{{"mlp", Tree{{"~", Tree(std::move(network))}}}}},
            {"initial_from_lstm", row(keys[0], sizes_.from_lstm)},
            {"initial_from_mlp", row(keys[1], sizes_.from_mlp)},
            {"lstm_init_state", Tree{{"hidden", zeros({1, sizes_.lstm})}, {"cell", zeros({1, sizes_.lstm})}}},
            {"rnn_params", Tree{{"rnn", Tree{{"linear", layer(keys[2], lstm_inputs + sizes_.lstm, 4 * sizes_.lstm)}}}}},
            {"rnn_to_ff_params", Tree{{"rnn_to_ff", layer(keys[3], sizes_.lstm, sizes_.to_mlp)}}},
            {"rnn_to_in_params", Tree{{"rnn_to_in", layer(keys[4], sizes_.lstm, sizes_.from_lstm)}}}};
  }

  std::unique_ptr<Optimizer> opt_fn(const Tree& theta) const override {
    return std::make_unique<Update>(theta, sizes_, multipliers_);
  }

 private:
  Sizes sizes_;
  StepMultipliers multipliers_;
};

LOPT_PLUGIN(
    RnnMlpLopt, "rnn_mlp_lopt",
    {.summary = "A network for each parameter and an LSTM for each tensor, which talk to each other",
     .paper = "Metz et al., Practical tradeoffs between memory, compute, and performance in learned optimizers, "
              "CoLLAs 2022",
     .url = "https://arxiv.org/abs/2203.11860"})
