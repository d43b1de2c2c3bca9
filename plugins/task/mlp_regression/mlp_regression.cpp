#include "../regression.h"

using namespace lopt;

/// A fully connected network that finds numbers from numbers: x [n, …] → y [n] or [n, targets]. Parameters w0, b0, w1,
/// b1, …, biases 0.
class MlpRegression final : public Task {
 public:
  explicit MlpRegression(Settings& s)
      : hidden_(
            s.integers("hidden", std::vector<std::int64_t>{64}).between(1, 65536).doc("widths of the hidden layers")),
        activation_(s.text("activation", "relu").one_of(activation_names()).doc("between the layers")),
        initializer_(s.text("initializer", "fan_in").one_of(initializer_names()).doc("of the weights")),
        initial_scale_(s.real("initial_scale", 1).at_least(0).doc("times the initializer's weights")),
        regression_(s, "mlp_regression", "{plugin: synthetic, kind: teacher_regression}") {}

  Tree init(Key key) const override {
    std::vector<std::int64_t> widths{regression_.inputs()};
    widths.insert(widths.end(), hidden_.begin(), hidden_.end());
    widths.push_back(regression_.targets());
    return Tree(dense_params(key, widths, initializer_, initial_scale_));
  }
  Tensor loss(const Tree& params, const Tree& batch, Key) const override {
    return regression_.loss(prediction(params, batch), batch["y"]);
  }
  std::vector<Metric> metrics(const Tree& params, const Tree& batch, Key) const override {
    return regression_.metrics(prediction(params, batch), batch["y"]);
  }
  Tensor normalized(const Tensor& loss) const override { return regression_.normalized(loss); }
  Batches batches() const override { return regression_.batches(); }

 private:
  Tensor prediction(const Tree& params, const Tree& batch) const {
    const Tensor x = batch["x"];
    return dense_of(params, hidden_.size() + 1, activation_, reshape(x, {x.dim(0), -1}));
  }

  std::vector<std::int64_t> hidden_;
  std::string activation_, initializer_;
  double initial_scale_;
  Regression regression_;
};

LOPT_PLUGIN(MlpRegression, "mlp_regression", {.summary = "A fully connected network that finds numbers from numbers"})
