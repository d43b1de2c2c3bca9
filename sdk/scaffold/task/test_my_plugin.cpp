#include <lopt/task.h>
#include <lopt/testing.h>

#include <cmath>
#include <cstdio>
#include <vector>

using namespace lopt;

/// With two parameters the curvatures are 1 and 1/4: at p = (3, 3) the loss is ½·(1·4 + ¼·4) = 2.5.
int main(int, char** argv) {
  const auto task = testing::make<Task>(argv[1], "my_plugin", "{size: 2, condition: 4}");
  const Values result = testing::evaluate([&](const Tree& params) { return Tree(task->loss(params, {}, {})); },
                                          {{"p", Array({2}, std::vector<float>{3, 3})}});
  const float loss = result.leaf().item<float>();
  std::printf("loss = %g\n", static_cast<double>(loss));
  return std::abs(loss - 2.5F) < 1e-5F ? 0 : 1;
}
