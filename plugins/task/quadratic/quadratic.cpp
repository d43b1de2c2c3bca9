#include <lopt/plugin.h>

#include <cmath>

using namespace lopt;

namespace {

/// Orthonormal rows by Gram and Schmidt from normal ones, [n, n].
std::vector<float> rotation(HostKey key, std::int64_t n) {
  const auto size = static_cast<std::size_t>(n);
  const Array numbers = normal(key, {n, n});
  std::vector<double> q(numbers.values<float>().begin(), numbers.values<float>().end());
  for (std::size_t i = 0; i < size; ++i) {
    double* row = q.data() + i * size;
    for (int again = 0; again < 2; ++again)  // twice is enough (Kahan)
      for (std::size_t j = 0; j < i; ++j) {
        const double* other = q.data() + j * size;
        double along = 0;
        for (std::size_t k = 0; k < size; ++k) along += row[k] * other[k];
        for (std::size_t k = 0; k < size; ++k) row[k] -= along * other[k];
      }
    double length = 0;
    for (std::size_t k = 0; k < size; ++k) length += row[k] * row[k];
    for (std::size_t k = 0; k < size; ++k) row[k] /= std::sqrt(length);
  }
  return {q.begin(), q.end()};
}

}  // namespace

/// ½ (x − c)ᵀ Qᵀ diag(a) Q (x − c), with a from 1 down to 1/condition in even steps of the logarithm. c is 0 or drawn
/// for each problem; Q is 1 or a rotation; with noise, each step's gradient has σ N(0, 1) added to it.
class Quadratic final : public Task {
 public:
  explicit Quadratic(Settings& s)
      : dimensions_(s.integer("dimensions", 100).between(1, 100'000'000).doc("numbers of the point")),
        condition_(s.real("condition", 1000).at_least(1).doc("largest curvature over smallest")),
        noise_(s.real("noise", 0).at_least(0).doc("standard deviation of what is added to a gradient")),
        centre_(s.real("centre", 0).at_least(0).doc("standard deviation of the minimum, drawn for each problem")),
        initial_scale_(s.real("initial_scale", 1).at_least(0).doc("standard deviation of the first point")) {
    const bool rotated = s.boolean("rotated", false).doc("turned, so that no axis is a direction of its own");
    const int seed = s.integer("seed", 0).at_least(0).doc("of the rotation");
    if (rotated && dimensions_ > 4096)
      throw std::invalid_argument("a rotation of more than 4,096 dimensions takes too much memory");
    if (rotated)
      rotation_ = Array({dimensions_, dimensions_},
                        rotation(HostKey::from_seed(static_cast<std::uint64_t>(seed)), dimensions_));
    std::vector<float> a(static_cast<std::size_t>(dimensions_));
    for (std::size_t i = 0; i < a.size(); ++i)
      a[i] = static_cast<float>(
          std::pow(condition_, a.size() > 1 ? -static_cast<double>(i) / static_cast<double>(a.size() - 1) : 0));
    curvature_ = Array({dimensions_}, a);
  }

  Tree init(Key key) const override { return {{"x", normal(key, {dimensions_}) * initial_scale_}}; }
  Tree init_state(Key key) const override {
    if (centre_ == 0) return {};
    return {{"centre", normal(fold_in(key, 1), {dimensions_}) * centre_}};
  }
  Tensor loss(const Tree& params, const Tree&, Key) const override { return value(params["x"]); }
  TrainingLoss training_loss(const Tree& params, const Tree& state, const Tree&, Key key) const override {
    const Tensor x = params["x"], at = from_centre(x, state);
    Tensor loss = value(at);
    // A slope that is there and a value that is not.
    if (noise_ > 0) loss = loss + noise_ * sum(normal(key, x.shape()) * (x - stop_gradient(x)));
    return {loss, state};
  }
  Tensor evaluation_loss(const Tree& params, const Tree& state, const Tree&, Key) const override {
    return value(from_centre(params["x"], state));
  }

 private:
  static Tensor from_centre(const Tensor& x, const Tree& state) {
    return state.contains("centre") ? x - state["centre"].leaf() : x;
  }
  Tensor value(const Tensor& x) const {
    const Tensor turned = rotation_.size() > 1 ? matmul(x, Tensor(rotation_)) : x;
    return 0.5 * sum(Tensor(curvature_) * square(turned));
  }

  int dimensions_;
  double condition_, noise_, centre_, initial_scale_;
  Array rotation_, curvature_;
};

LOPT_PLUGIN(Quadratic, "quadratic",
            {.summary = "A quadratic bowl of any condition, turned or not, with noise or without"})
