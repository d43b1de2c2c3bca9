#include <lopt/plugin.h>

using namespace lopt;

/// A cosine that begins anew: rate(i) = value · (1 + cos(π · (i mod period) / period)) / 2.
class MyPlugin final : public Schedule {
 public:
  explicit MyPlugin(Settings& s)
      : value_(s.real("value", 0.1).doc("the rate at each beginning")),
        period_(s.integer("period", 100).at_least(1).unit("steps").doc("from one beginning to the next")) {}

  Tensor rate(const ScheduleContext& context) const override {
    const auto period = static_cast<double>(period_);
    const Tensor share = context.step / period - floor(context.step / period);
    return value_ / 2 * (1 + cos(3.141592653589793 * share));
  }

 private:
  double value_;
  std::int64_t period_;
};

LOPT_PLUGIN(MyPlugin, "my_plugin", {.summary = "A cosine that begins anew", .paper = "Loshchilov and Hutter, 2017"})
