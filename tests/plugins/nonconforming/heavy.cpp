// caught by: init_cost. It takes 600 MB to start.
#include "../still.h"

#include <vector>

class Heavy final : public Still {
 public:
  using Still::Still;
  lopt::Tree init(const lopt::Tree& params, const lopt::InitContext& context) const override {
    const std::vector<char> room(600U << 20U, 1);
    return room.back() == 1 ? Still::init(params, context) : lopt::Tree();
  }
};
LOPT_PLUGIN(Heavy, "heavy", {.summary = "Takes much memory to start"})
