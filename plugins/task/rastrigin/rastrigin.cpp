#include "../valley.h"

using namespace lopt;

/// Σ x² − 10 cos 2πx + 10, least (0) at 0: a bowl with a hollow at each whole number.
class Rastrigin final : public Valley {
 public:
  explicit Rastrigin(Settings& s) : Valley(s, 5.12, 1) {}

 private:
  Tensor value(const Tensor& x) const override { return sum(square(x) - 10 * cos(2 * std::numbers::pi * x) + 10); }
};

LOPT_PLUGIN(Rastrigin, "rastrigin",
            {.summary = "Rastrigin's function: a bowl with a hollow at each whole number",
             .paper = "Rastrigin, Systems of extremal control, 1974"})
