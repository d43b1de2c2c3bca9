#include <lopt/dataset.h>
#include <lopt/testing.h>

#include <cmath>
#include <cstdio>

using namespace lopt;

/// Without noise all points are within the unit circle, and the classes are as frequent as each other.
int main(int, char** argv) {
  const auto dataset = testing::make<Dataset>(argv[1], "my_plugin", "{count: 100, noise: 0}");
  const Array place = dataset->examples(Split::train)["image"], label = dataset->examples(Split::train)["label"];
  int ones = 0;
  bool inside = true;
  for (std::size_t i = 0; i < label.size(); ++i) {
    ones += label.values<std::int32_t>()[i];
    inside = inside && std::hypot(place.values<float>()[2 * i], place.values<float>()[2 * i + 1]) < 1.001F;
  }
  std::printf("%zu points, %d of class 1\n", label.size(), ones);
  return inside && ones == 50 ? 0 : 1;
}
