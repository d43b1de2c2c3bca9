#include <lopt/optimizer.h>
#include <lopt/random.h>
#include <lopt/testing.h>

#include <cmath>
#include <cstdio>

using namespace lopt;

/// Before meta-training it is Adam, whose first step has the size of its rate: p = 1 becomes 0.99.
int main(int, char** argv) {
  const auto learned = testing::make<LearnedOptimizer>(argv[1], "my_plugin");
  const Values after = testing::evaluate(
      [&](const Tree& in) {
        const auto optimizer = learned->opt_fn(learned->init({in["key"]}));
        const Tree state = optimizer->init({{"p", in["p"]}}, {});
        const UpdateContext context{.loss = full({}, 1), .iteration = zeros({}, DType::int32)};
        return optimizer->params(optimizer->update(state, {{"p", in["g"]}}, context));
      },
      {{"key", to_array(HostKey::from_seed(0))}, {"p", Array::scalar(1.0F)}, {"g", Array::scalar(2.0F)}});
  const float p = after["p"].leaf().item<float>();
  std::printf("p = %g after a step\n", static_cast<double>(p));
  return std::abs(p - 0.99F) < 1e-6F ? 0 : 1;
}
