#include <lopt/plugin.h>

#include <cmath>

using namespace lopt;

/// rate(i) = max(value · decay^(i / every), end); with `stairs` the exponent is the whole part of i / every.
class Exponential final : public Schedule {
 public:
  explicit Exponential(Settings& s)
      : value_(s.real("value").doc("the rate of the first update")),
        decay_(s.real("decay").above(0).doc("what it is multiplied with")),
        every_(s.integer("every").at_least(1).unit("steps").doc("for each of these")),
        end_(s.real("end", 0).at_least(0).doc("it goes no lower")),
        stairs_(s.boolean("stairs", false).doc("it falls at once, every so many steps, and is constant between")) {}
  Tensor rate(const ScheduleContext& context) const override {
    const Tensor exponent = context.step / static_cast<double>(every_);
    return maximum(value_ * exp(std::log(decay_) * (stairs_ ? floor(exponent) : exponent)), end_);
  }

 private:
  double value_, decay_;
  std::int64_t every_;
  double end_;
  bool stairs_;
};

LOPT_PLUGIN(Exponential, "exponential", {.summary = "The same share less at every update, or every so many"})
