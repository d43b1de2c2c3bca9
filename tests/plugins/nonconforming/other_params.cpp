// caught by: params. The parameters that it gives back are not those that it was given.
#include "../still.h"

class Shifted final : public Still {
 public:
  using Still::Still;
  lopt::Tree params(const lopt::Tree& state) const override { return state["params"] + 0.5; }
};
LOPT_PLUGIN(Shifted, "shifted", {.summary = "Gives other parameters back"})
