#include "../accumulators.h"

#include <lopt/matrices.h>

#include <cmath>

using namespace lopt;

namespace {

/// What the network sees of each tensor.
const std::vector<std::string> default_features{
    "progress",       "log_step",        "horizon",    "loss_trend",  "loss_trend 0.5 0.9", "alignment",
    "alignment 0.99", "signal 0.9 0.99", "tensor_rms", "tensor_size", "tensor_shape",       "tensor_kind"};
/// The mean that is made orthogonal, and the others.
const std::vector<std::string> directions{"momentum 0.95", "adam 0.9 0.99", "scaled_gradient 0.99"};
/// The rate, the share of the orthogonal direction, of the two others, and of decay.
constexpr std::int64_t outputs = 5;
/// After how many steps the rate begins to fall as 1/√t.
constexpr double usual_steps = 100;
/// The larger dimension of a matrix for which `rate` is meant.
constexpr double usual_width = 64;
/// Of the mean of losses that a new one is compared with.
constexpr double loss_decay = 0.9;

struct Form {
  Features features, directions;
  std::vector<std::int64_t> hidden;
  std::string activation;
  Rate rate;
  double bound;
  int iterations;
};

/// x over its root mean square.
Tensor unit(const Tensor& x) { return x / (rms(x) + 1e-12); }

class Update final : public Optimizer {
 public:
  Update(Tree theta, Form form) : theta_(std::move(theta)), form_(std::move(form)) {}

  Tree init(const Tree& params, const InitContext&) const override {
    return {{"params", params},
            {"accumulators", with_entries(form_.features.start(params), form_.directions.start(params))},
            {"usual_loss", full({}, 0)}};
  }

  Tree update(const Tree& state, const Tree& gradients, const UpdateContext& context) const override {
    // Their squares are finite, and so are the derivatives; a gradient of 1e15 has diverged long since.
    const Tree grads = map([](const Tensor& g) { return clamp(g, -1e15, 1e15); }, gradients);
    const Tree &old = state["accumulators"], &params = state["params"];
    const Tree accumulators =
        with_entries(form_.features.next(old, grads, context), form_.directions.next(old, grads, context));
    const auto features = form_.features.of(params, grads, accumulators, context),
               towards = form_.directions.of(params, grads, accumulators, context);
    std::vector<Tensor> rows;
    for (const Features::OfTensor& feature : features) rows.push_back(feature.shared);
    const Tensor steering = dense_network(stack(rows, 0), theta_, form_.activation);  // [tensors, outputs]
    const Tensor t = convert(context.iteration, DType::float32);
    const Tensor loss = clamp(context.loss, -1e15, 1e15), usual_loss = state["usual_loss"].leaf();
    const Tensor rate = form_.rate.at(context) / sqrt(1 + t / usual_steps) * caution(loss, usual_loss, t);
    const std::vector<Tensor> p = params.leaves(), g = grads.leaves();
    std::vector<Tensor> next;
    for (std::size_t i = 0; i < p.size(); ++i) {
      const auto output = [&, i](std::int64_t k) {
        return tanh(take(take(steering, k, -1), static_cast<std::int64_t>(i), 0));
      };
      const std::vector<Tensor>& own = towards[i].own;
      const Tensor step = (1 + output(1)) * orthogonal(g[i], own[0]) + output(2) * own[1] + output(3) * own[2] +
                          square(output(4)) * p[i];
      next.push_back(p[i] - rate * width_factor(p[i].shape()) * exp(form_.bound * output(0)) * step);
    }
    return {{"params", grads.with_leaves<Tensor>(next)},
            {"accumulators", accumulators},
            {"usual_loss", moving_mean(usual_loss, loss, full({}, loss_decay))}};
  }

  /// A loss that is always 0 has no trend, and never jumps.
  bool can_do_without_loss() const override { return true; }
  Tree params(const Tree& state) const override { return state["params"]; }

 private:
  /// √(64 / the larger dimension): an orthogonal step of a matrix has the same spectral norm whatever its shape.
  static double width_factor(const Shape& shape) {
    if (shape.size() < 2) return 1;
    const std::int64_t columns = shape.back(), rows = element_count(shape) / columns;
    return std::sqrt(usual_width / static_cast<double>(std::max(rows, columns)));
  }

  /// Where the loss is (1 + e) times what it was of late, steps are 1/(1 + e)² as long: after a jump the momentum dies
  /// away before it does more harm.
  static Tensor caution(const Tensor& loss, const Tensor& usual_loss, const Tensor& t) {
    const Tensor usual = usual_loss / maximum(1 - power(loss_decay, t), 1 - loss_decay);
    const Tensor excess = where(t > 0, maximum(loss - usual, 0) / (abs(usual) + 1e-12), 0);
    return 1 / square(1 + minimum(excess, 1000));
  }

  /// The gradient and its mean a step ahead, of matrices made orthogonal, with a root mean square of 1.
  Tensor orthogonal(const Tensor& gradient, const Tensor& momentum) const {
    constexpr double decay = 0.95;
    const Tensor ahead = (1 - decay) * gradient + decay * momentum;
    if (gradient.rank() < 2) return unit(ahead);
    const Tensor matrix = reshape(ahead, {-1, gradient.dim(-1)});
    return reshape(unit(newton_schulz(matrix, form_.iterations)), gradient.shape());
  }

  Tree theta_;
  Form form_;
};

}  // namespace

/// A few directions, of which a network that looks at each tensor says how far to go along which. O is the mean of
/// gradients made orthogonal (Muon; of vectors the mean itself) with a root mean square of 1, A = m₀.₉/√v, G = g/√v,
/// r the rate times √(100/T), T being the problem's steps; (a, o, b, c, d) = tanh of the network's outputs:
///   p ← p − r · e^(bound · a) · ((1 + o) · O + b · A + c · G + d² · p).
/// The network sees a dozen numbers for a tensor and works once for it, so a step costs what its directions cost. Its
/// last layer starts at 0: before meta-training this is Muon with the schedule of `rate`.
class Steered final : public LearnedOptimizer {
 public:
  explicit Steered(Settings& s)
      : form_{
            Features(s, default_features),
            Features(directions),
            s.integers("hidden", std::vector<std::int64_t>{16, 16}).between(1, 4096).doc("widths of the hidden layers"),
            s.text("activation", "tanh").one_of(activation_names()).doc("between the layers"),
            s.rate("rate", 0.01).above(0).doc("root mean square of a step of a problem of 100 steps"),
            s.real("bound", 3).above(0).at_most(10).doc("of the log of the factor on the rate: 3 is 1/20 to 20 times"),
            static_cast<int>(std::int64_t{s.integer("iterations", 5).between(1, 50).doc("of Newton and Schulz")})} {
    if (form_.features.own_count() > 0 || form_.features.shared_count() == 0)
      throw std::invalid_argument(
          "sees tensors as wholes: `features` are those that a tensor shares, as in tensor_rms");
  }

  Tree init(Key key) const override {
    std::vector<std::int64_t> widths{form_.features.count()};
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
