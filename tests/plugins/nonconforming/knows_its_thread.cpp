// caught by: same_bits. Its primitive gives each thread other numbers.
#include "../still.h"

#include <atomic>

namespace {
std::atomic<int> threads = 0;
thread_local const int number = threads++;
}  // namespace
class ByThread final : public lopt::HostPrimitive {
 public:
  std::string name() const override { return "by_thread"; }
  lopt::Shape shape(std::span<const lopt::Shape> inputs) const override { return inputs[0]; }
  void evaluate(std::span<const std::span<const float>> inputs, std::span<float> output) const override {
    for (std::size_t i = 0; i < output.size(); ++i) output[i] = inputs[0][i] + 0.01F * static_cast<float>(number);
  }
};
class KnowsItsThread final : public Still {
 public:
  using Still::Still;
  lopt::Tree update(const lopt::Tree& state, const lopt::Tree& grads, const lopt::UpdateContext&) const override {
    const auto by_thread = std::make_shared<ByThread>();
    return {
        {"params", map([&](const lopt::Tensor& p, const lopt::Tensor& g) { return p - 0.001 * apply(by_thread, {g}); },
                       state["params"], grads)}};
  }
};
LOPT_PLUGIN(KnowsItsThread, "knows_its_thread", {.summary = "Gives each thread other numbers"})
