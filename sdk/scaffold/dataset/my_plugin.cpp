#include <lopt/plugin.h>

#include <cmath>

using namespace lopt;

/// Two spirals that wind around each other, with noise: points [n, 2] of two classes.
class MyPlugin final : public Dataset {
 public:
  explicit MyPlugin(Settings& s) {
    const int count = s.integer("count", 1000).between(2, 1 << 20).unit("examples").doc("how many points");
    const double turns = s.real("turns", 1.5).between(0, 100).doc("how often a spiral winds");
    const double noise = s.real("noise", 0.02).between(0, 10).doc("standard deviation of the points' places");
    train_ = points(HostKey::from_seed(1), count, turns, noise);
    test_ = points(HostKey::from_seed(2), count, turns, noise);
  }
  const Values& examples(Split split) const override { return split == Split::train ? train_ : test_; }

 private:
  static Values points(HostKey key, int count, double turns, double noise) {
    Array place = normal(fold_in(key, 0), {count, 2});
    const Array along = uniform(fold_in(key, 1), {count});
    Array label(DType::int32, {count});
    for (std::size_t i = 0; i < along.size(); ++i) {
      const int which = static_cast<int>(i % 2);
      const double radius = std::sqrt(along.values<float>()[i]), angle = (2 * turns * radius + which) * 3.14159265;
      float* xy = place.mutable_values<float>().data() + 2 * i;
      xy[0] = static_cast<float>(radius * std::cos(angle) + noise * static_cast<double>(xy[0]));
      xy[1] = static_cast<float>(radius * std::sin(angle) + noise * static_cast<double>(xy[1]));
      label.mutable_values<std::int32_t>()[i] = which;
    }
    return {{"image", place}, {"label", label}};
  }
  Values train_, test_;
};

LOPT_PLUGIN(MyPlugin, "my_plugin", {.summary = "Two spirals that wind around each other"})
