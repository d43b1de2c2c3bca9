// caught by: examples. It has fewer labels than images.
#include "line.h"

class Uneven final : public Line {
 public:
  explicit Uneven(lopt::Settings& s) : Line(s) {
    examples_.set("label", randint(lopt::HostKey::from_seed(2), {99}, 0, 2));
  }
};
LOPT_PLUGIN(Uneven, "uneven", {.summary = "Lacks a label"})
