#include <lopt/plugin.h>

using namespace lopt;

/// The same at every update; what `warm_up` may go on with.
class Constant final : public Schedule {
 public:
  explicit Constant(Settings& s) : value_(s.real("value").doc("the rate")) {}
  Tensor rate(const ScheduleContext&) const override { return full({}, value_); }

 private:
  double value_;
};

LOPT_PLUGIN(Constant, "constant", {.summary = "The same rate at every update"})
