// caught by: settings. It throws at the limit of its own declared range.
#include "../still.h"

#include <stdexcept>

class Impatient final : public Still {
 public:
  explicit Impatient(lopt::Settings& s) : Still(s) {
    const double rate = s.real("rate", 0.5).between(0, 1).doc("share that stays");
    if (rate >= 1) throw std::invalid_argument("a rate of 1 is too much");
  }
};
LOPT_PLUGIN(Impatient, "impatient", {.summary = "Does not take what it declares"})
