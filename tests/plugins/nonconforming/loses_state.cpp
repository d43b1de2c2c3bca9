// caught by: structure. What init() began, update() does not go on with.
#include "../still.h"

class Loses final : public Still {
 public:
  using Still::Still;
  lopt::Tree init(const lopt::Tree& params, const lopt::InitContext&) const override {
    return {{"params", params}, {"momentum", zeros_like(params)}};
  }
  lopt::Tree update(const lopt::Tree& state, const lopt::Tree&, const lopt::UpdateContext&) const override {
    return {{"params", state["params"]}};
  }
};
LOPT_PLUGIN(Loses, "loses", {.summary = "Loses its momentum"})
