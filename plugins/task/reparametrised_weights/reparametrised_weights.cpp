#include <lopt/plugin.h>

#include <algorithm>
#include <cmath>

using namespace lopt;

/// A task in other units: its parameters are c · p where p is what an optimizer sees, so gradients are c times as large
/// and parameters 1/c. c is log-uniform in [low, high], drawn anew for each problem: one for all, one for each tensor,
/// or one for each element. The augmentation with which VeLO and Celo were meta-trained.
class ReparametrisedWeights final : public TaskWrapper {
 public:
  explicit ReparametrisedWeights(Settings& s)
      : TaskWrapper(s.component<Task>("task").doc("whose parameters are scaled")),
        each_(s.text("each", "tensor").one_of({"task", "tensor", "element"}).doc("what has a scale of its own")),
        low_(s.real("low", 0.001).above(0).at_most(1e9).doc("scales lie between this")),
        high_(s.real("high", 1000).above(0).at_most(1e9).doc("and this; as large as `low`: one unit for all")) {}

  Tree init(Key key) const override {
    const Tree own = inner().init(key);
    return map([](const Tensor& p, const Tensor& c) { return p / c; }, own, scales(own, key));
  }
  Tree init_state(Key key) const override {
    return {{"scale", scales(inner().init(key), key)}, {"task", inner().init_state(key)}};
  }
  Tensor loss(const Tree& params, const Tree& batch, Key key) const override {
    return inner().loss(params, batch, key);
  }
  TrainingLoss training_loss(const Tree& params, const Tree& state, const Tree& batch, Key key) const override {
    const TrainingLoss own = inner().training_loss(scaled(params, state), state["task"], batch, key);
    return {own.loss, {{"scale", state["scale"]}, {"task", own.state}}};
  }
  Tensor evaluation_loss(const Tree& params, const Tree& state, const Tree& batch, Key key) const override {
    return inner().evaluation_loss(scaled(params, state), state["task"], batch, key);
  }
  std::vector<Metric> evaluation_metrics(const Tree& params, const Tree& state, const Tree& batch,
                                         Key key) const override {
    return inner().evaluation_metrics(scaled(params, state), state["task"], batch, key);
  }

 private:
  static Tree scaled(const Tree& params, const Tree& state) {
    return map([](const Tensor& p, const Tensor& c) { return c * p; }, params, state["scale"]);
  }
  Tree scales(const Tree& params, const Key& key) const {
    std::vector<Tensor> result;
    for (const Tensor& p : params.leaves()) {
      const auto which = static_cast<std::uint32_t>(each_ == "task" ? 0 : result.size());
      const Shape shape = each_ == "element" ? p.shape() : Shape{};
      result.push_back(exp(uniform(fold_in(fold_in(key, 0x7363616c), which), shape, std::log(std::min(low_, high_)),
                                   std::log(std::max(low_, high_)))));
    }
    return params.with_leaves<Tensor>(result);
  }

  std::string each_;
  double low_, high_;
};

LOPT_PLUGIN(ReparametrisedWeights, "reparametrised_weights",
            {.summary = "Around a task: parameters in other units, drawn for each problem",
             .paper = "Metz et al., VeLO: training versatile learned optimizers by scaling up, 2022",
             .url = "https://arxiv.org/abs/2211.09760"})
