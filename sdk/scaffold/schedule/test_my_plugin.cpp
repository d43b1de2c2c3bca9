#include <lopt/schedule.h>
#include <lopt/testing.h>

#include <cmath>
#include <cstdio>

using namespace lopt;

/// At the middle of its period the rate is half of what it begins at.
int main(int, char** argv) {
  const auto schedule = testing::make<Schedule>(argv[1], "my_plugin", "{value: 0.4, period: 10}");
  const Values rates = testing::evaluate(
      [&](const Tree& in) {
        return Tree{{"first", schedule->rate({in["first"]})}, {"middle", schedule->rate({in["middle"]})}};
      },
      {{"first", Array::scalar(0.0F)}, {"middle", Array::scalar(15.0F)}});
  const float first = rates["first"].leaf().item<float>(), middle = rates["middle"].leaf().item<float>();
  std::printf("%g, then %g\n", static_cast<double>(first), static_cast<double>(middle));
  return std::abs(first - 0.4F) < 1e-6F && std::abs(middle - 0.2F) < 1e-6F ? 0 : 1;
}
