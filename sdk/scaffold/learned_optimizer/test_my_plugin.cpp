#include <lopt/optimizer.h>
#include <lopt/testing.h>

#include <cmath>
#include <cstdio>

using namespace lopt;

/// One step from p = 1 with g = 2, step size 1 and decay ½: m = 1, p = 0.
int main(int, char** argv) {
  const auto learned = testing::make<LearnedOptimizer>(argv[1], "my_plugin");
  const Values after = testing::evaluate(
      [&](const Tree& in) {
        const auto optimizer = learned->opt_fn(in["theta"]);
        const Tree state = optimizer->init({{"p", in["p"]}}, {});
        return optimizer->params(optimizer->update(state, {{"p", in["g"]}}, {}));
      },
      {{"theta", {{"log_step", Array::scalar(0.0F)}, {"decay", Array::scalar(0.0F)}}},
       {"p", Array::scalar(1.0F)},
       {"g", Array::scalar(2.0F)}});
  const float p = after["p"].leaf().item<float>();
  std::printf("p = %g after a step\n", static_cast<double>(p));
  return std::abs(p) < 1e-6F ? 0 : 1;
}
