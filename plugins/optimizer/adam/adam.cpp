#include <lopt/plugin.h>

using namespace lopt;

/// Adam (Kingma and Ba, 2015), bias-corrected, t = 1, 2, …:
///   m ← β1·m + (1 − β1)·g,  v ← β2·v + (1 − β2)·g²,
///   p ← p − lr · m/(1 − β1ᵗ) / (√(v/(1 − β2ᵗ) + ε_root) + ε).
class Adam final : public Optimizer {
 public:
  explicit Adam(Settings& s)
      : learning_rate_(s.rate("learning_rate", 0.001).above(0).doc("step size")),
        beta1_(s.real("beta1", 0.9).at_least(0).below(1).doc("decay of the mean of gradients")),
        beta2_(s.real("beta2", 0.999).at_least(0).below(1).doc("decay of the mean of squared gradients")),
        epsilon_(s.real("epsilon", 1e-8).at_least(0).doc("added outside the root")),
        epsilon_root_(s.real("epsilon_root", 0).at_least(0).doc("added inside the root")) {}

  Tree init(const Tree& params, const InitContext&) const override {
    return {{"params", params},
            {"mean", zeros_like(params)},
            {"variance", zeros_like(params)},
            {"count", zeros({}, DType::int32)}};
  }

  Tree update(const Tree& state, const Tree& grads, const UpdateContext& context) const override {
    const Tensor count = state["count"].leaf() + 1, t = convert(count, DType::float32);
    const Tree mean = beta1_ * state["mean"] + (1 - beta1_) * grads,
               variance = beta2_ * state["variance"] + (1 - beta2_) * square(grads);
    const Tensor correct1 = 1 - power(beta1_, t), correct2 = 1 - power(beta2_, t);
    // Divisions of scalars, which cost nothing: of three for each parameter one stays.
    const Tree size = sqrt(variance * (1 / correct2) + Tensor(epsilon_root_)) + Tensor(epsilon_);
    const Tree step = (learning_rate_.at(context) / correct1) * mean / size;
    return {{"params", state["params"] - step}, {"mean", mean}, {"variance", variance}, {"count", count}};
  }

  Tree params(const Tree& state) const override { return state["params"]; }

 private:
  Rate learning_rate_;
  double beta1_, beta2_, epsilon_, epsilon_root_;
};

LOPT_PLUGIN(Adam, "adam",
            {.summary = "Steps by running means of the gradient and its square",
             .paper = "Kingma and Ba, Adam: a method for stochastic optimization, ICLR 2015"})
