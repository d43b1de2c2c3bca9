// caught by: loss. Its initial parameters are where the loss is not defined.
#include "bowl.h"

class Undefined final : public Bowl {
 public:
  using Bowl::Bowl;
  lopt::Tensor loss(const lopt::Tree& params, const lopt::Tree&, lopt::Key) const override {
    return sum(log(-square(params["p"])));
  }
};
LOPT_PLUGIN(Undefined, "undefined", {.summary = "The logarithm of what is negative"})
