#include <lopt/plugin.h>

using namespace lopt;

/// A task whose gradients are noisy: each has N(0, 1) added, times `std` and, where `relative`, times the gradient's
/// root mean square in its tensor. Losses are the task's own.
class GradientNoise final : public TaskWrapper {
 public:
  explicit GradientNoise(Settings& s)
      : TaskWrapper(s.component<Task>("task").doc("whose gradients are noisy")),
        std_(s.real("std", 0.01).at_least(0).doc("standard deviation of what is added to a gradient")),
        relative_(s.boolean("relative", false).doc("in units of the gradient's root mean square in its tensor")) {}

  TrainingLoss training_loss(const Tree& params, const Tree& state, const Tree& batch, Key key) const override {
    TrainingLoss own = inner().training_loss(params, state, batch, fold_in(key, 0));
    const Tree slopes = gradient(own.loss, params);
    const std::vector<Tensor> p = params.leaves(), g = slopes.leaves();
    for (std::size_t i = 0; i < p.size(); ++i) {
      Tensor noise = std_ * normal(fold_in(key, static_cast<std::uint32_t>(i + 1)), p[i].shape());
      if (relative_) noise = noise * stop_gradient(rms(g[i]));
      own.loss = own.loss + sum(noise * (p[i] - stop_gradient(p[i])));  // a slope, and no value
    }
    return own;
  }

 private:
  double std_;
  bool relative_;
};

LOPT_PLUGIN(GradientNoise, "gradient_noise", {.summary = "Around a task: noise on its gradients"})
