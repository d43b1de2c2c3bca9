#include <lopt/plugin.h>

using namespace lopt;

namespace {

/// s ← A s + θ (1, …, 1, −1, …, −1)ᵀ, with ½ on A's diagonal and above it.
class Dynamics final : public Optimizer {
 public:
  Dynamics(const Tree& theta, std::int64_t positive) : theta_(theta["theta"]), positive_(positive) {}

  Tree init(const Tree& params, const InitContext&) const override { return {{"params", params}}; }
  Tree update(const Tree& state, const Tree&, const UpdateContext&) const override {
    return {{"params", map([this](const Tensor& s) { return next(s); }, state["params"])}};
  }
  Tree params(const Tree& state) const override { return state["params"]; }

 private:
  Tensor next(const Tensor& shaped) const {
    const Tensor s = reshape(shaped, {-1});
    const std::int64_t size = s.dim(0);
    const Tensor above = pad(slice(s, {1}, {size}), {0}, {1});
    const Tensor sign = where(arange(size) < Tensor(static_cast<int>(positive_)), 1, -1);
    return reshape(0.5 * (s + above) + theta_ * convert(sign, DType::float32), shaped.shape());
  }

  Tensor theta_;
  std::int64_t positive_;
};

}  // namespace

/// A linear system in place of an optimizer: one weight θ pushes the first elements of the state up and the others
/// down, whatever the gradient is. The task `influence_balancing` says what that is for.
class LinearSystem final : public LearnedOptimizer {
 public:
  explicit LinearSystem(Settings& s)
      : positive_(s.integer("positive", 10).at_least(0).doc("elements that θ pushes up")),
        start_(s.real("initial_theta", 0.5).doc("θ before meta-training")) {}
  Tree init(Key) const override { return {{"theta", full({}, start_)}}; }
  std::unique_ptr<Optimizer> opt_fn(const Tree& theta) const override {
    return std::make_unique<Dynamics>(theta, positive_);
  }

 private:
  std::int64_t positive_;
  double start_;
};

LOPT_PLUGIN(LinearSystem, "linear_system",
            {.summary = "A linear system in place of an optimizer, for the task influence_balancing: one weight",
             .paper = "Tallec and Ollivier, Unbiased online recurrent optimization, ICLR 2018",
             .url = "https://arxiv.org/abs/1702.05043"})
