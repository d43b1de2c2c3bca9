#include <lopt/plugin.h>

using namespace lopt;

/// Adam's direction and a learned, bounded correction to it. (a, b) come from a small network on features of each
/// parameter:
///   p ← p − rate · e^(2 tanh a) · (m/√v + tanh(b) · g/√v).
class Rule final : public Optimizer {
 public:
  Rule(Tree theta, Features features, double rate)
      : theta_(std::move(theta)), features_(std::move(features)), rate_(rate) {}

  Tree init(const Tree& params, const InitContext&) const override {
    return {{"params", params}, {"accumulators", features_.start(params)}};
  }
  Tree update(const Tree& state, const Tree& grads, const UpdateContext& context) const override {
    const Tree accumulators = features_.next(state["accumulators"], grads, context);
    const auto features = features_.of(state["params"], grads, accumulators, context);
    std::vector<Tensor> params = state["params"].leaves();
    for (std::size_t i = 0; i < params.size(); ++i) {
      const Tensor out = dense_network(features[i], theta_);  // [..., 2]
      const Tensor &adam = features[i].own[0], &gradient = features[i].own[1];
      const Tensor size = rate_ * exp(2 * tanh(take(out, 0, -1)));
      params[i] = params[i] - size * (adam + tanh(take(out, 1, -1)) * gradient);
    }
    return {{"params", grads.with_leaves<Tensor>(params)}, {"accumulators", accumulators}};
  }
  Tree params(const Tree& state) const override { return state["params"]; }

 private:
  Tree theta_;
  Features features_;
  double rate_;
};

/// Adam with a correction that starts at nothing, for the network's last layer starts at 0.
class MyPlugin final : public LearnedOptimizer {
 public:
  explicit MyPlugin(Settings& s) : rate_(s.real("rate", 0.01).between(1e-6, 1).doc("Adam's, before meta-training")) {}

  Tree init(Key key) const override { return dense_weights(key, {features_.count(), 16, 2}, LastLayer::zero); }
  std::unique_ptr<Optimizer> opt_fn(const Tree& theta) const override {
    return std::make_unique<Rule>(theta, features_, rate_);
  }

 private:
  /// `lopt-run describe features` lists what there is. The first two are what a step is made of.
  Features features_{
      {"adam 0.9 0.999", "scaled_gradient 0.999", "normalized parameter", "progress", "log_step", "loss_trend"}};
  double rate_;
};

LOPT_PLUGIN(MyPlugin, "my_plugin", {.summary = "Adam with a learned, bounded correction"})
