#include "../valley.h"

using namespace lopt;

/// Σ 100 (xᵢ₊₁ − xᵢ²)² + (1 − xᵢ)², least (0) at (1, …, 1), at the end of a narrow bent valley.
class Rosenbrock final : public Valley {
 public:
  explicit Rosenbrock(Settings& s) : Valley(s, 2, 2) {}

 private:
  Tensor value(const Tensor& x) const override {
    const Tensor x0 = slice(x, {0}, {dimensions() - 1}), x1 = slice(x, {1}, {dimensions()});
    return sum(100 * square(x1 - square(x0)) + square(1 - x0));
  }
};

LOPT_PLUGIN(Rosenbrock, "rosenbrock",
            {.summary = "Rosenbrock's function: a narrow bent valley",
             .paper = "Rosenbrock, An automatic method for finding the greatest or least value of a function, 1960"})
