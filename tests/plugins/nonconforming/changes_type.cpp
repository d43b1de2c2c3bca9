// caught by: shapes. A counter of integers becomes one of real numbers.
#include "../still.h"

class Changes final : public Still {
 public:
  using Still::Still;
  lopt::Tree init(const lopt::Tree& params, const lopt::InitContext&) const override {
    return {{"params", params}, {"count", lopt::zeros({}, lopt::DType::int32)}};
  }
  lopt::Tree update(const lopt::Tree& state, const lopt::Tree&, const lopt::UpdateContext&) const override {
    return {{"params", state["params"]}, {"count", convert(state["count"], lopt::DType::float32) + 1.0}};
  }
};
LOPT_PLUGIN(Changes, "changes", {.summary = "Counts in another type"})
