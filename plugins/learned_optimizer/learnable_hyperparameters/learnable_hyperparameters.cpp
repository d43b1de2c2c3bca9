#include <lopt/plugin.h>
#include <lopt/schedule.h>

#include <cmath>

using namespace lopt;

namespace {

/// m ← momentum · m + g + e^log_l2 p;  p ← p − rate(t) m, each leaf with the numbers of its group.
class Update final : public Optimizer {
 public:
  Update(Tree theta, std::int64_t groups, double momentum, double time_scale)
      : theta_(std::move(theta)), groups_(groups), momentum_(momentum), time_scale_(time_scale) {}

  Tree init(const Tree& params, const InitContext&) const override {
    if (momentum_ == 0) return {{"params", params}};
    return {{"params", params}, {"momentum", zeros_like(params)}};
  }
  Tree update(const Tree& state, const Tree& grads, const UpdateContext& context) const override {
    std::vector<Tensor> params, momenta;
    const std::vector<Tensor> before = state["params"].leaves(), gradients = grads.leaves();
    for (std::size_t leaf = 0; leaf < before.size(); ++leaf) {
      const std::int64_t group = std::min(static_cast<std::int64_t>(leaf), groups_ - 1);
      Tensor step = gradients[leaf];
      if (theta_.contains("log_l2")) step = step + exp(take(theta_["log_l2"], group, 0)) * before[leaf];
      if (momentum_ > 0) step = momentum_ * state["momentum"].leaves()[leaf] + step;
      momenta.push_back(step);
      params.push_back(before[leaf] - rate(group, context) * step);
    }
    Tree next{{"params", grads.with_leaves<Tensor>(params)}};
    if (momentum_ > 0) next.set("momentum", grads.with_leaves<Tensor>(momenta));
    return next;
  }
  Tree params(const Tree& state) const override { return state["params"]; }

 private:
  Tensor rate(std::int64_t group, const UpdateContext& context) const {
    const Tensor first = exp(take(theta_["log_rate"], group, 0)), t = convert(context.iteration, DType::float32);
    if (theta_.contains("log_last_rate")) {
      const Tensor steps = schedule_context(context).steps;
      if (!steps) throw SettingsError("schedule: linear needs to know how many steps a problem has");
      const Tensor done = minimum(t / steps, 1);
      return (1 - done) * first + done * exp(take(theta_["log_last_rate"], group, 0));
    }
    if (theta_.contains("log_decay"))
      return first / power(1 + t / time_scale_, exp(take(theta_["log_decay"], group, 0)));
    return first;
  }

  Tree theta_;
  std::int64_t groups_;
  double momentum_, time_scale_;
};

}  // namespace

/// Gradient descent, with momentum or without, whose hyperparameters are meta-learned: the rate, how it changes over a
/// problem, and how much weights are pulled to 0, for each leaf of the parameters or for groups of them (Vicol et al.,
/// 2021):
///   constant: e^log_rate;  linear: (1 − t/T) e^log_rate + t/T e^log_last_rate;
///   inverse_time: e^log_rate (1 + t/Q)^−e^log_decay (Wu et al., Understanding short-horizon bias in stochastic
///   meta-optimization, 2018).
class LearnableHyperparameters final : public LearnedOptimizer {
 public:
  explicit LearnableHyperparameters(Settings& s)
      : groups_(s.integer("groups", 1)
                    .between(1, 1 << 16)
                    .doc("leaf i of the parameters has hyperparameters i of so many; the last are for the rest")),
        schedule_(s.text("schedule", "constant").one_of({"constant", "linear", "inverse_time"}).doc("of the rate")),
        rate_(s.real("initial_learning_rate", 0.01).above(0).doc("rate before meta-training")),
        last_rate_(
            s.real("initial_last_rate", 0.01).above(0).doc("linear: rate at a problem's end before meta-training")),
        decay_(s.real("initial_decay", 1).above(0).doc("inverse_time: exponent before meta-training")),
        time_scale_(s.real("time_scale", 5000).above(0).unit("steps").doc("inverse_time: Q")),
        regularised_(s.boolean("regularisation", false).doc("weights are pulled to 0, by e^log_l2 times themselves")),
        l2_(s.real("initial_l2", 1e-4).above(0).doc("regularisation before meta-training")),
        momentum_(s.real("momentum", 0).at_least(0).below(1).doc("is not learned")) {}

  Tree init(Key) const override {
    std::vector<Tree::Entry> entries{{"log_rate", logarithms(rate_)}};
    if (schedule_ == "linear") entries.emplace_back("log_last_rate", logarithms(last_rate_));
    if (schedule_ == "inverse_time") entries.emplace_back("log_decay", logarithms(decay_));
    if (regularised_) entries.emplace_back("log_l2", logarithms(l2_));
    return Tree(std::move(entries));
  }
  std::unique_ptr<Optimizer> opt_fn(const Tree& theta) const override {
    return std::make_unique<Update>(theta, groups_, momentum_, time_scale_);
  }

 private:
  Tensor logarithms(double value) const { return full({groups_}, std::log(value)); }

  std::int64_t groups_;
  std::string schedule_;
  double rate_, last_rate_, decay_, time_scale_;
  bool regularised_;
  double l2_, momentum_;
};

LOPT_PLUGIN(LearnableHyperparameters, "learnable_hyperparameters",
            {.summary = "Gradient descent whose rate, schedule and regularisation are learned, by leaf or for all",
             .paper = "Vicol, Metz and Sohl-Dickstein, Unbiased gradient estimation in unrolled computation graphs "
                      "with persistent evolution strategies, ICML 2021",
             .url = "https://arxiv.org/abs/2112.13835"})
