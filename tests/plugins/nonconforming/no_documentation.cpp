// caught by: description. A setting without documentation.
#include "../still.h"

class Silent final : public Still {
 public:
  explicit Silent(lopt::Settings& s) : Still(s) { static_cast<void>(double{s.real("rate", 0.5).between(0, 1)}); }
};
LOPT_PLUGIN(Silent, "silent", {.summary = "Does not say what its setting means"})
