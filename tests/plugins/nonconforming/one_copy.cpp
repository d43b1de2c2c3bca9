// caught by: load_twice. It takes something of which a process has only one.
#include "../still.h"

#include <cstdlib>

namespace {
struct OnlyOne {
  OnlyOne() {
    if (std::getenv("LOPT_TEST_ONLY_ONE")) std::abort();
    ::setenv("LOPT_TEST_ONLY_ONE", "1", 1);
  }
} only_one;
}  // namespace
LOPT_PLUGIN(Still, "only_one", {.summary = "Cannot be there twice"})
