#include "../accumulators.h"
#include "travel.h"

#include <lopt/matrices.h>

#include <cmath>

using namespace lopt;

namespace {

/// What the network sees of each tensor, beside what Travel says and how much of the first loss is left.
const std::vector<std::string> default_features{
    "progress",       "log_step",         "horizon",     "loss_trend",   "loss_trend 0.5 0.9",
    "alignment 0.95", "signal 0.95 0.99", "tensor_size", "tensor_shape", "tensor_kind"};
constexpr double mean_decay = 0.95, square_decay = 0.99;
const std::vector<std::string> moments{"momentum 0.95", "second_moment 0.99"};
/// The rate, the share of the orthogonal direction, of the two others, and of decay.
constexpr std::int64_t outputs = 5;
/// After how many steps the rate begins to fall as 1/√t.
constexpr double usual_steps = 100;
/// Of the means of losses that a new one is compared with.
constexpr double loss_decay = 0.9;

struct Form {
  Features features, moments;
  std::vector<std::int64_t> hidden;
  std::string activation;
  Rate rate;
  double bound;
  std::int64_t block;
};

class Update final : public Optimizer {
 public:
  Update(Tree theta, Form form) : theta_(std::move(theta)), form_(std::move(form)) {}

  Tree init(const Tree& params, const InitContext&) const override {
    Tree state{{"params", params}, {"first_loss", zeros({})}, {"usual_loss", zeros({})}, {"usual_noise", zeros({})}};
    state.set("accumulators", with_entries(form_.features.start(params), form_.moments.start(params)));
    state.set("travel", Travel::start(params));
    return state;
  }

  Tree update(const Tree& state, const Tree& gradients, const UpdateContext& context) const override {
    // Their squares are finite, and so are the derivatives; a gradient of 1e15 has diverged long since.
    const Tree grads = map([](const Tensor& g) { return clamp(g, -1e15, 1e15); }, gradients);
    const Tree &old = state["accumulators"], &params = state["params"];
    const Tree accumulators =
        with_entries(form_.features.next(old, grads, context), form_.moments.next(old, grads, context));
    const Tensor loss = clamp(context.loss, -1e15, 1e15), t = convert(context.iteration, DType::float32);
    Travel travel(state["travel"], params, grads, loss);
    const Tensor first_loss = where(t > 0, state["first_loss"].leaf(), loss);
    const Tensor usual_loss = moving_mean(state["usual_loss"].leaf(), loss, full({}, loss_decay));
    const Tensor level = usual({usual_loss}, t + 1) / where(first_loss != 0, first_loss, 1);
    const Tensor steering = steered(params, grads, accumulators, travel, level, context);
    const Tensor rate = form_.rate.at(context) / sqrt(1 + t / usual_steps) * caution(state, loss, t);
    const std::vector<Tensor> p = params.leaves(), g = grads.leaves();
    const auto of_moments = form_.moments.of(params, grads, accumulators, context);
    std::vector<Tensor> next;
    for (std::size_t i = 0; i < p.size(); ++i) {
      const auto output = [&, row = take(steering, static_cast<std::int64_t>(i), 0)](std::int64_t k) {
        return tanh(take(row, k, 0));
      };
      const Tensor &mean = of_moments[i].own[0], &square_mean = of_moments[i].own[1];
      const Tensor length = rate * exp(form_.bound * output(0)) * travel.unit(i);
      // m / √v and g / √v, both without the bias of the zeros that they start from, stay below 2 and 10.
      const Tensor over_root = 1 / (sqrt(square_mean) * sqrt(corrected(square_decay, t)) + 1e-15);
      const Tensor step = (1 + output(1)) * orthogonal(g[i], mean) +
                          (output(2) * corrected(mean_decay, t) * mean + output(3) * g[i]) * over_root;
      next.push_back((1 - rate * square(output(4))) * p[i] - length * step);
      travel.go(i, length);
    }
    return {
        {"params", grads.with_leaves<Tensor>(next)},
        {"first_loss", first_loss},
        {"usual_loss", usual_loss},
        {"usual_noise", moving_mean(state["usual_noise"].leaf(),
                                    where(t > 0, abs(loss - usual(state["usual_loss"], t)), 0), full({}, loss_decay))},
        {"accumulators", accumulators},
        {"travel", travel.state(params)}};
  }

  /// A loss that is always 0 has no trend, and never jumps.
  bool can_do_without_loss() const override { return true; }
  Tree params(const Tree& state) const override { return state["params"]; }

 private:
  /// What the network says: [tensors, outputs].
  Tensor steered(const Tree& params, const Tree& grads, const Tree& accumulators, const Travel& travel,
                 const Tensor& level, const UpdateContext& context) const {
    // How much of the first loss is left.
    const Tensor of_loss = reshape(where(level != 0, clamp(log(abs(level) + 1e-20) * 0.2, -2, 2), 0), {1});
    const auto features = form_.features.of(params, grads, accumulators, context);
    std::vector<Tensor> rows;
    for (std::size_t i = 0; i < features.size(); ++i)
      rows.push_back(concatenate({features[i].shared, of_loss, travel.features(i)}, 0));
    return dense_network(stack(rows, 0), theta_, form_.activation);
  }

  static Tensor corrected(double decay, const Tensor& t) { return 1 / (1 - power(decay, t + 1)); }
  /// A running mean of what was there before this step; where there was nothing, 0.
  static Tensor usual(const Tree& mean, const Tensor& t) {
    return mean.leaf() / maximum(1 - power(loss_decay, t), 1 - loss_decay);
  }
  /// Where the loss is above what it was of late by e times that and twice its usual deviation, steps are 1/(1 + e)² as
  /// long: after a jump the momentum dies away before it does more harm.
  static Tensor caution(const Tree& state, const Tensor& loss, const Tensor& t) {
    const Tensor before = usual(state["usual_loss"], t), noise = usual(state["usual_noise"], t);
    const Tensor excess = where(t > 0, maximum(loss - before, 0) / (abs(before) + 2 * noise + 1e-12), 0);
    return 1 / square(1 + minimum(excess, 1000));
  }

  /// The gradient and its mean a step ahead, of matrices made orthogonal: a root mean square of 1 where the rank is
  /// full.
  Tensor orthogonal(const Tensor& gradient, const Tensor& mean) const {
    const Tensor ahead = (1 - mean_decay) * gradient + mean_decay * mean;
    if (gradient.rank() < 2) return ahead * rsqrt(lopt::mean(square(ahead)) + 1e-30);
    const Tensor matrix = reshape(ahead, {-1, gradient.dim(-1)});
    const double scale = std::sqrt(static_cast<double>(std::max(matrix.dim(0), matrix.dim(1))));
    return reshape(scale * orthogonal_blocks(matrix, form_.block), gradient.shape());
  }

  Tree theta_;
  Form form_;
};

}  // namespace

/// A few directions, of which a network that looks at each tensor says how far to go along which. O is the mean of
/// gradients a step ahead, made orthogonal in blocks of at most `block` rows (Muon; of vectors the mean itself over its
/// root mean square), v the mean of their squares, r = rate / √(1 + t/100) after the caution that a jump of the loss
/// gives, s the tensor's unit of length (travel.h); (a, o, b, c, d) = tanh of the network's outputs:
///   p ← (1 − r · d²) · p − r · s · e^(bound · a) · ((1 + o) · O + (b · m₀.₉₅ + c · g) / √v).
/// The network sees some twenty numbers for a tensor and works once for it, so a step costs what its directions cost.
/// Its last layer starts at 0: before meta-training this is Muon with the schedule of `rate`.
class Steered final : public LearnedOptimizer {
 public:
  explicit Steered(Settings& s)
      : form_{
            Features(s, default_features),
            Features(moments),
            s.integers("hidden", std::vector<std::int64_t>{16, 16}).between(1, 4096).doc("widths of the hidden layers"),
            s.text("activation", "tanh").one_of(activation_names()).doc("between the layers"),
            s.rate("rate", 0.08).above(0).doc("root mean square of a step, in the tensor's unit of length"),
            s.real("bound", 3).above(0).at_most(10).doc("of the log of the factor on the rate: 3 is 1/20 to 20 times"),
            s.integer("block", 64).between(1, 4096).doc("rows that are made orthogonal to each other, at most")} {
    if (form_.features.own_count() > 0 || form_.features.shared_count() == 0)
      throw std::invalid_argument(
          "sees tensors as wholes: `features` are those that a tensor shares, as in tensor_rms");
  }

  Tree init(Key key) const override {
    std::vector<std::int64_t> widths{form_.features.count() + 1 + Travel::feature_count};
    widths.insert(widths.end(), form_.hidden.begin(), form_.hidden.end());
    widths.push_back(outputs);
    return dense_weights(key, widths, LastLayer::zero);
  }
  std::unique_ptr<Optimizer> opt_fn(const Tree& theta) const override { return std::make_unique<Update>(theta, form_); }

 private:
  Form form_;
};

LOPT_PLUGIN(
    Steered, "steered",
    {.summary = "Orthogonal, Adam's and plain directions, mixed by a network that looks at each tensor",
     .paper = "Jordan et al., Muon: an optimizer for hidden layers in neural networks, 2024 (the first direction)",
     .url = "https://kellerjordan.github.io/posts/muon/"})
