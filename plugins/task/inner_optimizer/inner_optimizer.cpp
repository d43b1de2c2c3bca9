#include <lopt/plugin.h>
#include <lopt/scan.h>

#include <cmath>
#include <span>

using namespace lopt;

/// Training as a problem: the parameters are a schedule of learning rates, the loss is the mean of the inner task's
/// losses over `steps` steps of momentum with it. log_rate [knots] is interpolated between knots over the steps; the
/// inner problem starts anew from each step's key. No batch but one goes through it: each inner step takes its own
/// part.
class InnerOptimizer final : public Task {
 public:
  explicit InnerOptimizer(Settings& s)
      : task_(s.component<Task>("task", "quadratic").doc("what is trained inside")),
        steps_(s.integer("steps", 20).between(1, 100000).unit("steps").doc("of the inner training")),
        knots_(s.integer("knots", 4).between(1, 100000).doc("of the schedule")),
        rate_(s.real("initial_rate", 0.01).above(0).doc("at which the schedule starts everywhere")),
        momentum_(s.real("momentum", 0.9).at_least(0).below(1).doc("of the inner training")) {}

  Tree init(Key) const override { return {{"log_rate", full({knots_}, std::log(rate_))}}; }

  Tensor loss(const Tree& params, const Tree& batch, Key key) const override {
    const Tree start = task_->init(fold_in(key, 0)), state = task_->init_state(fold_in(key, 0));
    const std::vector<Tensor> first = start.leaves();
    std::vector<Tensor> carry = first;
    for (const Tensor& leaf : first) carry.push_back(zeros_like(leaf));
    // [steps, …]: the rate, and each step's part of the batch.
    std::vector<Tensor> sequences{rates(params["log_rate"])};
    for (const Tensor& leaf : batch.leaves()) {
      Shape shape = leaf.shape();
      shape[0] /= steps_;
      shape.insert(shape.begin(), steps_);
      sequences.push_back(reshape(leaf, shape));
    }
    const ScanResult trained = scan(
        [&](const std::vector<Tensor>& at, const std::vector<Tensor>& x) {
          const std::size_t n = first.size();
          const Tree now =
              start.with_leaves<Tensor>(std::vector<Tensor>(at.begin(), at.begin() + static_cast<std::ptrdiff_t>(n)));
          const Tree examples = batch.with_leaves<Tensor>(std::vector<Tensor>(x.begin() + 1, x.end()));
          const Tensor loss = task_->training_loss(now, state, examples, fold_in(key, 1)).loss;
          const std::vector<Tensor> slopes = gradient(loss, now).leaves();
          ScanStep step;
          std::vector<Tensor> momenta;
          for (std::size_t i = 0; i < n; ++i) {
            momenta.push_back(momentum_ * at[n + i] + slopes[i]);
            step.carry.push_back(at[i] - x[0] * momenta[i]);
          }
          step.carry.insert(step.carry.end(), momenta.begin(), momenta.end());
          step.outputs = {loss};
          return step;
        },
        carry, sequences);
    return mean(trained.outputs[0]);
  }
  Batches batches() const override {
    const Batches inner = task_->batches();
    return {inner.dataset, inner.size * steps_};
  }

 private:
  /// e^(log rate), linear between knots, [steps].
  Tensor rates(const Tensor& knots) const {
    std::vector<float> weights(static_cast<std::size_t>(steps_ * knots_), 0.0F);
    for (int i = 0; i < steps_; ++i) {
      const double place = steps_ > 1 ? static_cast<double>(i) / (steps_ - 1) * (knots_ - 1) : 0;
      const int below = std::min(static_cast<int>(place), std::max(0, knots_ - 2));
      const double share = place - below;
      const std::span row(weights.begin() + std::ptrdiff_t{i} * knots_, static_cast<std::size_t>(knots_));
      row[static_cast<std::size_t>(below)] = static_cast<float>(1 - share);
      if (below + 1 < knots_) row[static_cast<std::size_t>(below) + 1] = static_cast<float>(share);
    }
    return exp(sum(Tensor(Array({steps_, knots_}, weights)) * knots, {1}));
  }

  std::shared_ptr<const Task> task_;
  int steps_, knots_;
  double rate_, momentum_;
};

LOPT_PLUGIN(
    InnerOptimizer, "inner_optimizer",
    {.summary = "A schedule of learning rates as the parameters: training as a problem",
     .paper = "Maclaurin et al., Gradient-based hyperparameter optimization through reversible learning, ICML 2015",
     .url = "https://arxiv.org/abs/1502.03492"})
