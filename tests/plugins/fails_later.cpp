// Throws, or crashes, in update().
#include "still.h"

#include <csignal>
#include <stdexcept>

class FailsLater final : public Still {
 public:
  explicit FailsLater(lopt::Settings& s) : Still(s), how_(s.text("how", "throw").one_of({"throw", "other", "crash"})) {}
  lopt::Tree update(const lopt::Tree& state, const lopt::Tree&, const lopt::UpdateContext&) const override {
    if (how_ == "throw") throw std::runtime_error("the weather is bad");
    if (how_ == "other") throw 7;
    std::raise(SIGSEGV);
    return state;
  }

 private:
  std::string how_;
};
LOPT_PLUGIN(FailsLater, "fails_later", {.summary = "Fails in update()"})
