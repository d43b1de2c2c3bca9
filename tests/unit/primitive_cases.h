#pragma once
// A use or more of every primitive, of shapes that kernels treat each in its way.

#include <lopt/tensor.h>

#include <functional>
#include <string>
#include <vector>

namespace lopt::test {

struct Case {
  std::string name;  // the primitive that it is about
  std::vector<Type> inputs;
  std::function<Tensor(const std::vector<Tensor>&)> f;
  double low = -2, high = 2;  // range of real inputs
  bool smooth = true;         // differentiable, and everywhere in the range
};

std::vector<Case> all_cases();

}  // namespace lopt::test
