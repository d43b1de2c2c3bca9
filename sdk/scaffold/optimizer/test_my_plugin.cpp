#include <lopt/optimizer.h>
#include <lopt/testing.h>

#include <cmath>
#include <cstdio>

using namespace lopt;

/// One step from p = 1 with g = 2: v = 2, p = 1 − 0.1·(2 + 0.5·2) = 0.7.
int main(int, char** argv) {
  const auto optimizer = testing::make<Optimizer>(argv[1], "my_plugin", "{learning_rate: 0.1, decay: 0.5}");
  const Values after = testing::evaluate(
      [&](const Tree& in) {
        const Tree state = optimizer->init({{"p", in["p"]}}, {});
        return optimizer->params(optimizer->update(state, {{"p", in["g"]}}, {}));
      },
      {{"p", Array::scalar(1.0F)}, {"g", Array::scalar(2.0F)}});
  const float p = after["p"].leaf().item<float>();
  std::printf("p = %g after a step\n", static_cast<double>(p));
  return std::abs(p - 0.7F) < 1e-6F ? 0 : 1;
}
