// caught by: instances. The settings of the object that was made last hold for all.
#include "../still.h"

namespace {
double shared_rate = 0;
}
class LastOneWins final : public Still {
 public:
  explicit LastOneWins(lopt::Settings& s) : Still(s) {
    shared_rate = s.real("rate", 0.5).between(0, 1).doc("step size");
  }
  lopt::Tree update(const lopt::Tree& state, const lopt::Tree& grads, const lopt::UpdateContext&) const override {
    return {{"params", state["params"] - shared_rate * grads}};
  }
};
LOPT_PLUGIN(LastOneWins, "last_one_wins", {.summary = "Keeps its settings in one place for all"})
