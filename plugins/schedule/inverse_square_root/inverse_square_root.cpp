#include <lopt/plugin.h>

using namespace lopt;

/// rate(i) = value · √(scale / (scale + i)). Behind a warm-up of `scale` steps this is the transformer's schedule,
/// value · √(scale / step).
class InverseSquareRoot final : public Schedule {
 public:
  explicit InverseSquareRoot(Settings& s)
      : value_(s.real("value").doc("the rate of the first update")),
        scale_(s.real("scale", 1).above(0).unit("steps").doc("after three times as many it is half as high")) {}
  Tensor rate(const ScheduleContext& context) const override { return value_ * sqrt(scale_ / (scale_ + context.step)); }

 private:
  double value_, scale_;
};

LOPT_PLUGIN(InverseSquareRoot, "inverse_square_root",
            {.summary = "A rate that falls with the root of the step",
             .paper = "Vaswani et al., Attention is all you need, NeurIPS 2017",
             .url = "https://arxiv.org/abs/1706.03762"})
