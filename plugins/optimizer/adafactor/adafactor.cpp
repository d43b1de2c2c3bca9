#include <lopt/plugin.h>

#include <cmath>

using namespace lopt;

namespace {
/// The least second moment that is divided by, so that the slope of its root stays finite; a gradient of 1e-12.
constexpr double least_moment = 1e-24;
/// Bound of gradients, far beyond where a problem has diverged, so that their squares are finite.
constexpr double most = 1e15;
}  // namespace

/// Adafactor: of tensors of two dimensions or more only the means of squares over the two largest dimensions are kept,
///   R ← β·R + (1 − β)·mean(g² + ε over the largest), C likewise over the other, V = R ⊗ C / mean(R), β = 1 − t^(−0.8);
/// of others V itself. Then u = g/√V, u ← u / max(1, rms(u)/d), and with `relative`
///   p ← p − min(lr, 1/√t) · max(ε_scale, rms(p)) · u, else p ← p − lr · u; decay · lr · p goes too.
class Adafactor final : public Optimizer {
 public:
  explicit Adafactor(Settings& s)
      : learning_rate_(s.rate("learning_rate", 0.01).above(0).doc("step size; where relative, the largest one")),
        relative_(s.boolean("relative", true).doc("steps are relative to the tensor's rms, and fall as 1/√t")),
        clip_(s.real("clip", 1).above(0).doc("d, the largest rms of a step before it is scaled")),
        power_(s.real("decay_power", 0.8).above(0).below(1).doc("of t in 1 − β")),
        epsilon_root_(s.real("epsilon_root", 1e-30).at_least(0).doc("added to squares, inside the root")),
        epsilon_(s.real("epsilon", 0).at_least(0).doc("added outside the root")),
        epsilon_scale_(s.real("epsilon_scale", 1e-3).at_least(0).doc("the least rms of a tensor")),
        decay_(s.rate("weight_decay", 0).at_least(0).doc("share of a parameter, times the step size, that goes")) {}

  Tree init(const Tree& params, const InitContext&) const override {
    std::vector<Tensor> rows, columns;
    for (const Tensor& p : params.leaves()) {
      const FactoredMoment start = FactoredMoment::start(p);
      rows.push_back(start.row);
      columns.push_back(start.column);
    }
    return {{"params", params},
            {"row", params.with_leaves<Tensor>(rows)},
            {"column", params.with_leaves<Tensor>(columns)},
            {"count", zeros({}, DType::int32)}};
  }

  Tree update(const Tree& state, const Tree& grads, const UpdateContext& context) const override {
    const Tensor count = state["count"].leaf() + 1, t = convert(count, DType::float32), beta = 1 - power(t, -power_);
    const std::vector<Tensor> p = state["params"].leaves(), row = state["row"].leaves(),
                              column = state["column"].leaves();
    std::vector<Tensor> next, rows, columns;
    for (std::size_t i = 0; i < p.size(); ++i) {
      const Tensor g = clamp(grads.leaves()[i], -most, most);
      const FactoredMoment moment = updated({row[i], column[i]}, square(g) + epsilon_root_, beta);
      const Tensor u = g / (sqrt(maximum(whole(moment, p[i].shape()), least_moment)) + epsilon_);
      const Tensor clipped = u / maximum(rms(u) / clip_, 1);
      Tensor rate = learning_rate_.at(context);
      if (relative_) rate = minimum(rate, rsqrt(t)) * maximum(rms(p[i]), epsilon_scale_);
      next.push_back(p[i] - rate * clipped - learning_rate_.at(context) * decay_.at(context) * p[i]);
      rows.push_back(moment.row);
      columns.push_back(moment.column);
    }
    return {{"params", grads.with_leaves<Tensor>(next)},
            {"row", grads.with_leaves<Tensor>(rows)},
            {"column", grads.with_leaves<Tensor>(columns)},
            {"count", count}};
  }
  Tree params(const Tree& state) const override { return state["params"]; }

 private:
  static FactoredMoment updated(const FactoredMoment& moment, const Tensor& squares, const Tensor& beta) {
    if (squares.rank() < 2) return {moving_mean(moment.row, squares, beta), moment.column};
    const FactoredAxes axes = factored_axes(squares.shape());
    return {moving_mean(moment.row, mean(squares, {axes.row}), beta),
            moving_mean(moment.column, mean(squares, {axes.column}), beta)};
  }
  /// V of a tensor's shape.
  static Tensor whole(const FactoredMoment& moment, const Shape& shape) {
    if (shape.size() < 2) return moment.row;
    const FactoredAxes axes = factored_axes(shape);
    const int left = axes.column > axes.row ? axes.column - 1 : axes.column;
    const Tensor share = moment.row / maximum(expand_dims(mean(moment.row, {left}), left), least_moment);
    return expand_dims(share, axes.row) * expand_dims(moment.column, axes.column);
  }

  Rate learning_rate_;
  bool relative_;
  double clip_, power_, epsilon_root_, epsilon_, epsilon_scale_;
  Rate decay_;
};

LOPT_PLUGIN(Adafactor, "adafactor",
            {.summary = "Second moments of rows and columns alone, steps relative to the tensor",
             .paper = "Shazeer and Stern, Adafactor: adaptive learning rates with sublinear memory cost, ICML 2018",
             .url = "https://arxiv.org/abs/1804.04235"})
