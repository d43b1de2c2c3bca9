#include "../progress.h"

#include <numbers>

using namespace lopt;

/// rate(i) = end + (value − end) · (1 + cos(π · i / steps)) / 2, and `end` from then on.
class Cosine final : public Schedule {
 public:
  explicit Cosine(Settings& s)
      : value_(s.real("value").doc("the rate of the first update")),
        end_(s.real("end", 0).doc("where it goes")),
        steps_(schedule_steps(s)) {}
  Tensor rate(const ScheduleContext& context) const override {
    return end_ + (value_ - end_) / 2 * (1 + cos(std::numbers::pi * progress(context, steps_)));
  }

 private:
  double value_, end_;
  std::int64_t steps_;
};

LOPT_PLUGIN(Cosine, "cosine",
            {.summary = "Half a cosine from one rate to another",
             .paper = "Loshchilov and Hutter, SGDR: stochastic gradient descent with warm restarts, ICLR 2017",
             .url = "https://arxiv.org/abs/1608.03983"})
