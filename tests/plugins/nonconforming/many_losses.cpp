// caught by: loss. A loss for each parameter.
#include "bowl.h"

class Many final : public Bowl {
 public:
  using Bowl::Bowl;
  lopt::Tensor loss(const lopt::Tree& params, const lopt::Tree&, lopt::Key) const override {
    return square(params["p"] - 1.0);
  }
};
LOPT_PLUGIN(Many, "many", {.summary = "Has many losses"})
