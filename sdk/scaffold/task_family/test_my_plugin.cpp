#include <lopt/task.h>
#include <lopt/testing.h>

#include <cmath>
#include <cstdio>

using namespace lopt;

/// Three bowls from 1 to 3: at p = 0 in 8 dimensions their losses are ½·8·(1, 2, 3) = 4, 8, 12.
int main(int, char** argv) {
  const auto family = testing::make<TaskFamily>(argv[1], "my_plugin", "{count: 3, low: 1, high: 3}");
  bool good = family->size() == 3;
  for (std::size_t i = 0; i < family->size(); ++i) {
    const Values result =
        testing::evaluate([&](const Tree& params) { return Tree(family->task(i).loss(params, {}, {})); },
                          {{"p", Array(DType::float32, {8})}});
    const float loss = result.leaf().item<float>();
    std::printf("task %zu: loss = %g\n", i, static_cast<double>(loss));
    good = good && std::abs(loss - 4 * static_cast<float>(i + 1)) < 1e-4F;
  }
  return good ? 0 : 1;
}
