#include <lopt/plugin.h>

using namespace lopt;

/// A rise from nothing over n steps, then any schedule: rate(i) = (i + 1) / n · then(0) for i < n, so that no update is
/// made at rate 0, and then(i − n) from there on, over the steps that are left.
class WarmUp final : public Schedule {
 public:
  explicit WarmUp(Settings& s)
      : steps_(s.integer("steps").at_least(1).unit("steps").doc("of the rise")),
        then_(s.rate("then").doc("what follows, counted from the rise's end: a rate or a schedule")) {}

  Tensor rate(const ScheduleContext& context) const override {
    if (context.num_steps > 0 && steps_ >= context.num_steps)
      throw std::invalid_argument("its warm-up of " + std::to_string(steps_) +
                                  " steps is not shorter than the run of " + std::to_string(context.num_steps));
    const auto n = static_cast<double>(steps_);
    ScheduleContext after{maximum(context.step - n, 0), {}, std::max<std::int64_t>(context.num_steps - steps_, 0)};
    if (context.steps) after.steps = maximum(context.steps - n, 1);
    return minimum((context.step + 1) / n, 1) * then_.at(after);
  }

 private:
  std::int64_t steps_;
  Rate then_;
};

LOPT_PLUGIN(WarmUp, "warm_up", {.summary = "A rise from nothing, then any schedule"})
