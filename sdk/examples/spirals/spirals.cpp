#include <lopt/plugin.h>

#include <cmath>

using namespace lopt;

/// Which of two spirals a point of the plane is on, learned by a network of one hidden layer: mean logistic loss over
/// all points. The points are made once, from the seed.
class Spirals final : public Task {
 public:
  explicit Spirals(Settings& s)
      : hidden_(s.integer("hidden", 32).between(1, 65536).doc("width of the hidden layer")),
        points_(s.integer("points", 256).between(2, 1 << 20).unit("examples").doc("how many points")),
        turns_(s.real("turns", 1).between(0, 100).doc("how often a spiral winds")),
        seed_(s.integer("seed", 0).between(0, 2147483647).doc("of the points' places")) {
    Array place(DType::float32, {points_, 2}), label(DType::float32, {points_});
    const Array along = uniform(HostKey::from_seed(static_cast<std::uint64_t>(seed_)), {points_});
    for (std::size_t i = 0; i < along.size(); ++i) {
      const int which = static_cast<int>(i % 2);
      const float radius = std::sqrt(along.values<float>()[i]);
      const float angle = (2 * static_cast<float>(turns_) * radius + static_cast<float>(which)) * 3.14159265F;
      place.mutable_values<float>()[2 * i] = radius * std::cos(angle);
      place.mutable_values<float>()[2 * i + 1] = radius * std::sin(angle);
      label.mutable_values<float>()[i] = static_cast<float>(which);
    }
    place_ = place;
    label_ = label;
  }

  Tree init(Key key) const override {
    const std::vector<Key> keys = split(key);
    return {{"w0", normal(keys[0], {2, hidden_})},
            {"b0", zeros({hidden_})},
            {"w1", normal(keys[1], {hidden_, 1}) / std::sqrt(hidden_)},
            {"b1", zeros({1})}};
  }

  /// log(1 + eˣ) − y·x for the logit x and the label y.
  Tensor loss(const Tree& params, const Tree&, Key) const override {
    const Tensor hidden = tanh(matmul(Tensor(place_), params["w0"]) + params["b0"]);
    const Tensor logit = reshape(matmul(hidden, params["w1"]) + params["b1"], {points_});
    const Tensor softplus = relu(logit) + log1p(exp(-abs(logit)));
    return mean(softplus - Tensor(label_) * logit);
  }

 private:
  int hidden_, points_;
  double turns_;
  int seed_;
  Array place_, label_;
};

LOPT_PLUGIN(Spirals, "spirals", {.summary = "Which of two spirals a point is on: a task that makes its own data"})
