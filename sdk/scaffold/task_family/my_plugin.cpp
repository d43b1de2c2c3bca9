#include <lopt/plugin.h>

#include <vector>

using namespace lopt;

/// A bowl: ½ · curvature · Σ (p − 1)².
class Bowl final : public Task {
 public:
  explicit Bowl(double curvature) : curvature_(curvature) {}
  Tree init(Key key) const override { return {{"p", normal(key, {8})}}; }
  Tensor loss(const Tree& params, const Tree&, Key) const override {
    return 0.5 * curvature_ * sum(square(params["p"] - 1));
  }

 private:
  double curvature_;
};

/// Bowls whose curvatures are spread evenly between two limits, each drawn as often as the others.
class MyPlugin final : public TaskFamily {
 public:
  explicit MyPlugin(Settings& s) {
    const int count = s.integer("count", 5).between(1, 10000).doc("how many bowls");
    const double low = s.real("low", 0.5).between(1e-6, 1e6).doc("smallest curvature");
    const double high = s.real("high", 2).between(1e-6, 1e6).doc("largest curvature");
    for (int i = 0; i < count; ++i) bowls_.emplace_back(low + (high - low) * i / std::max(1, count - 1));
  }
  std::size_t size() const override { return bowls_.size(); }
  const Task& task(std::size_t index) const override { return bowls_[index]; }

 private:
  std::vector<Bowl> bowls_;
};

LOPT_PLUGIN(MyPlugin, "my_plugin", {.summary = "Bowls of different curvature"})
