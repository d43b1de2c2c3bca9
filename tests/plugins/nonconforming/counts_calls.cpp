// caught by: deterministic. Each update is larger than the one before.
#include "../still.h"

class Counts final : public Still {
 public:
  using Still::Still;
  lopt::Tree update(const lopt::Tree& state, const lopt::Tree& grads, const lopt::UpdateContext&) const override {
    return {{"params", state["params"] - ++calls_ * 0.001 * grads}};
  }

 private:
  mutable double calls_ = 0;
};
LOPT_PLUGIN(Counts, "counts", {.summary = "Counts its calls"})
