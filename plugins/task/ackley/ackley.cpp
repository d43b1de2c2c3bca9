#include "../valley.h"

using namespace lopt;

/// 20 + e − 20 exp(−0.2 rms(x)) − exp(mean cos 2πx), least (0) at 0: a funnel full of small hollows.
class Ackley final : public Valley {
 public:
  explicit Ackley(Settings& s) : Valley(s, 5, 1) {}

 private:
  Tensor value(const Tensor& x) const override {
    return 20 + std::numbers::e - 20 * exp(-0.2 * rms(x)) - exp(mean(cos(2 * std::numbers::pi * x)));
  }
};

LOPT_PLUGIN(Ackley, "ackley",
            {.summary = "Ackley's function: a funnel full of small hollows",
             .paper = "Ackley, A connectionist machine for genetic hillclimbing, 1987"})
