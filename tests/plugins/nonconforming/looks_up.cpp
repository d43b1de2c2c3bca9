// caught by: nan. Its primitive looks its input up in a table, without asking whether it is a number.
#include "../still.h"

#include <vector>

class Lookup final : public lopt::HostPrimitive {
 public:
  std::string name() const override { return "lookup"; }
  lopt::Shape shape(std::span<const lopt::Shape> inputs) const override { return inputs[0]; }
  void evaluate(std::span<const std::span<const float>> inputs, std::span<float> output) const override {
    for (std::size_t i = 0; i < output.size(); ++i) {
      const float x = inputs[0][i];
      // All that is smaller than a thousand finds its place.
      const long place = x > -1000 && x < 1000 ? static_cast<long>(x) : 1L << 40;
      output[i] = table_[static_cast<std::size_t>(1000 + place)];
    }
  }

 private:
  std::vector<float> table_ = std::vector<float>(2001, 0.5F);
};
class LooksUp final : public Still {
 public:
  using Still::Still;
  lopt::Tree update(const lopt::Tree& state, const lopt::Tree& grads, const lopt::UpdateContext&) const override {
    const auto lookup = std::make_shared<Lookup>();
    return {{"params", map([&](const lopt::Tensor& p, const lopt::Tensor& g) { return p - 0.001 * apply(lookup, {g}); },
                           state["params"], grads)}};
  }
};
LOPT_PLUGIN(LooksUp, "looks_up", {.summary = "Takes its step from a table"})
