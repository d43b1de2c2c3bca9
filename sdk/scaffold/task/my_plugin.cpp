#include <lopt/plugin.h>

using namespace lopt;

/// A bowl whose directions are curved differently: ½ Σ hᵢ (pᵢ − 1)², with h from 1 down to 1/condition.
class MyPlugin final : public Task {
 public:
  explicit MyPlugin(Settings& s)
      : size_(s.integer("size", 16).between(2, 1 << 20).doc("number of parameters")),
        condition_(s.real("condition", 100).between(1, 1e6).doc("largest curvature by the smallest")) {}

  Tree init(Key key) const override { return {{"p", normal(key, {size_})}}; }
  Tensor loss(const Tree& params, const Tree&, Key) const override {
    const Tensor place = convert(arange(size_), DType::float32) / (size_ - 1);
    const Tensor curvature = power(condition_, -place);
    return 0.5 * sum(curvature * square(params["p"] - 1));
  }

 private:
  int size_;
  double condition_;
};

LOPT_PLUGIN(MyPlugin, "my_plugin", {.summary = "A bowl whose directions are curved differently"})
