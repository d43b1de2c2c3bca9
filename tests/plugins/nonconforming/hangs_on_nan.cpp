// caught by: nan. Its primitive goes on until a number is small enough, which NaN never is.
#include "../still.h"

class Halves final : public lopt::HostPrimitive {
 public:
  std::string name() const override { return "halves"; }
  lopt::Shape shape(std::span<const lopt::Shape> inputs) const override { return inputs[0]; }
  void evaluate(std::span<const std::span<const float>> inputs, std::span<float> output) const override {
    for (std::size_t i = 0; i < output.size(); ++i)
      for (output[i] = inputs[0][i]; !(output[i] * output[i] < 1);) output[i] /= 2;
  }
};
class Hangs final : public Still {
 public:
  using Still::Still;
  lopt::Tree update(const lopt::Tree& state, const lopt::Tree& grads, const lopt::UpdateContext&) const override {
    const auto halves = std::make_shared<Halves>();
    return {{"params", map([&](const lopt::Tensor& p, const lopt::Tensor& g) { return p - 0.001 * apply(halves, {g}); },
                           state["params"], grads)}};
  }
};
LOPT_PLUGIN(Hangs, "hangs", {.summary = "Does not come back from NaN"})
