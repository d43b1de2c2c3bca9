#include "../progress.h"

using namespace lopt;

/// rate(i) = value + (end − value) · i / steps, and `end` from then on.
class Linear final : public Schedule {
 public:
  explicit Linear(Settings& s)
      : value_(s.real("value").doc("the rate of the first update")),
        end_(s.real("end", 0).doc("where it goes")),
        steps_(schedule_steps(s)) {}
  Tensor rate(const ScheduleContext& context) const override {
    return value_ + (end_ - value_) * progress(context, steps_);
  }

 private:
  double value_, end_;
  std::int64_t steps_;
};

LOPT_PLUGIN(Linear, "linear", {.summary = "A straight line from one rate to another"})
