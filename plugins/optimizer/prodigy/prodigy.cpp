#include "../../total.h"
#include "../moments.h"

#include <cmath>

using namespace lopt;

/// Prodigy with Adam: an estimate d of the distance to the solution takes the place of the step size. With γ the
/// `learning_rate`, x0 the first parameters, and sums over all tensors,
///   m ← β1·m + (1 − β1)·d·g, v ← β2·v + (1 − β2)·d²·g²,
///   r ← √β2·r + (1 − √β2)·γ·d²·⟨g, x0 − p⟩, s ← √β2·s + (1 − √β2)·γ·d²·g,
///   p ← p − γ·d · (m / (√v + d·ε) + decay·p), d ← max(d, r / ‖s‖₁).
class Prodigy final : public Optimizer {
 public:
  explicit Prodigy(Settings& s)
      : s_(MomentSettings::of(s, 1e-8, 0, 1)),
        first_(s.real("first_distance", 1e-6).above(0).doc("what d begins at")),
        growth_(s.real("growth", 0).at_least(0).doc("times which d may become in an update; 0: any")),
        decay_(s.rate("weight_decay", 0).at_least(0).doc("share of a parameter, times the step size, that goes")) {}

  Tree init(const Tree& params, const InitContext&) const override {
    const Tree nothing = zeros_like(params);
    return {{"params", params},      {"first", params}, {"mean", nothing},
            {"variance", nothing},   {"sum", nothing},  {"distance", full({}, first_)},
            {"agreement", zeros({})}};
  }
  Tree update(const Tree& state, const Tree& grads, const UpdateContext& context) const override {
    const Tensor d = state["distance"], rate = s_.learning_rate.at(context);
    const double slow = std::sqrt(s_.beta2);
    const Tree mean = s_.beta1 * state["mean"] + (1 - s_.beta1) * (d * grads),
               variance = s_.beta2 * state["variance"] + (1 - s_.beta2) * square(d * grads),
               sum_of = slow * state["sum"] + (1 - slow) * ((rate * d * d) * grads);
    const Tensor agreement = slow * state["agreement"].leaf() +
                             (1 - slow) * rate * d * d *
                                 total(map([](const Tensor& g, const Tensor& way) { return sum(g * way); }, grads,
                                           state["first"] - state["params"])
                                           .leaves());
    const Tensor length = total(map([](const Tensor& x) { return sum(abs(x)); }, sum_of).leaves());
    const Tensor estimate = where(length > 0, agreement / where(length > 0, length, 1), 0);
    const Tree step =
        map([&](const Tensor& m, const Tensor& v) { return m / (sqrt(v + s_.epsilon_root) + d * s_.epsilon); }, mean,
            variance);
    Tensor distance = maximum(d, estimate);
    if (growth_ > 0) distance = minimum(distance, growth_ * d);
    return {{"params", state["params"] - rate * d * (step + decay_.at(context) * state["params"])},
            {"first", state["first"]},
            {"mean", mean},
            {"variance", variance},
            {"sum", sum_of},
            {"distance", distance},
            {"agreement", agreement}};
  }
  Tree params(const Tree& state) const override { return state["params"]; }

 private:
  MomentSettings s_;
  double first_, growth_;
  Rate decay_;
};

LOPT_PLUGIN(Prodigy, "prodigy",
            {.summary = "Adam that finds its step size itself",
             .paper = "Mishchenko and Defazio, Prodigy: an expeditiously adaptive parameter-free learner, ICML 2024",
             .url = "https://arxiv.org/abs/2306.06101"})
