#include "../valley.h"

using namespace lopt;

/// ½ Σ (x⁴ − 16x² + 5x) + 39.16617 n, least (0 to rounding) at (−2.903534, …): two hollows in each direction, one a
/// little deeper.
class StyblinskiTang final : public Valley {
 public:
  explicit StyblinskiTang(Settings& s) : Valley(s, 5, 1) {}

 private:
  Tensor value(const Tensor& x) const override {
    const Tensor squared = square(x);
    return sum(0.5 * (square(squared) - 16 * squared + 5 * x) + 39.16616570377142);
  }
};

LOPT_PLUGIN(StyblinskiTang, "styblinski_tang",
            {.summary = "Styblinski and Tang's function: two hollows in each direction",
             .paper = "Styblinski and Tang, Experiments in nonconvex optimization, Neural Networks 1990"})
