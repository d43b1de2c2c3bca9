// Throws, or crashes, in update(): in the thread that calls it or in sixteen at once.
#include "still.h"

#include <barrier>
#include <csignal>
#include <stdexcept>
#include <thread>
#include <vector>

class FailsLater final : public Still {
 public:
  explicit FailsLater(lopt::Settings& s)
      : Still(s), how_(s.text("how", "throw").one_of({"throw", "other", "crash", "crash in threads"})) {}
  lopt::Tree update(const lopt::Tree& state, const lopt::Tree&, const lopt::UpdateContext&) const override {
    if (how_ == "throw") throw std::runtime_error("the weather is bad");
    if (how_ == "other") throw 7;
    if (how_ == "crash in threads") crash_in_threads();
    std::raise(SIGSEGV);
    return state;
  }

 private:
  /// All at once, as far as that can be had.
  static void crash_in_threads() {
    constexpr int count = 16;
    std::barrier together(count);
    std::vector<std::jthread> threads;
    for (int i = 0; i < count; ++i)
      threads.emplace_back([&] {
        together.arrive_and_wait();
        std::raise(SIGSEGV);
      });
  }

  std::string how_;
};
LOPT_PLUGIN(FailsLater, "fails_later", {.summary = "Fails in update()"})
