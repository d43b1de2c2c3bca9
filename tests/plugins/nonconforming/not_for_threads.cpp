// caught by: two_threads. It notices when another thread is in the same function.
#include "../still.h"

#include <atomic>
#include <chrono>
#include <thread>

namespace {
std::atomic<int> inside = 0;
}
class Crowded final : public Still {
 public:
  using Still::Still;
  lopt::Tree update(const lopt::Tree& state, const lopt::Tree& grads, const lopt::UpdateContext&) const override {
    ++inside;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    const double crowd = inside.load();
    --inside;
    return {{"params", state["params"] - crowd * 0.001 * grads}};
  }
};
LOPT_PLUGIN(Crowded, "crowded", {.summary = "Shares a number between threads"})
