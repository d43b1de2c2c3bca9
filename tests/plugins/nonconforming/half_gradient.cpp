// caught by: gradient. The vector-Jacobian product of its primitive is half of what it should be.
#include "bowl.h"

class Cube final : public lopt::HostPrimitive {
 public:
  std::string name() const override { return "cube"; }
  lopt::Shape shape(std::span<const lopt::Shape> inputs) const override { return inputs[0]; }
  void evaluate(std::span<const std::span<const float>> inputs, std::span<float> output) const override {
    for (std::size_t i = 0; i < output.size(); ++i) output[i] = inputs[0][i] * inputs[0][i] * inputs[0][i];
  }
  std::vector<lopt::Tensor> vjp(const std::vector<lopt::Tensor>& x, const lopt::Tensor&,
                                const lopt::Tensor& dy) const override {
    return {1.5 * square(x[0]) * dy};
  }
};
class HalfGradient final : public Bowl {
 public:
  using Bowl::Bowl;
  lopt::Tensor loss(const lopt::Tree& params, const lopt::Tree&, lopt::Key) const override {
    return sum(apply(std::make_shared<Cube>(), {params["p"]}));
  }
};
LOPT_PLUGIN(HalfGradient, "half_gradient", {.summary = "A gradient that is half of what it should be"})
