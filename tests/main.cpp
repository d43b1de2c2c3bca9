#define CATCH_CONFIG_MAIN  // for version 2; the library of version 3 has its own
#include "catch.h"

#include <cstdio>

namespace {
#ifdef LOPT_CATCH_3
using Listener = Catch::EventListenerBase;
#else
using Listener = Catch::TestEventListenerBase;
#endif

/// The line that tests/run adds up.
struct CountLine : Listener {
  using Listener::Listener;
  void testRunEnded(const Catch::TestRunStats& stats) override {
    const auto& cases = stats.totals.testCases;
    std::printf("%zu passed, %zu failed\n", static_cast<std::size_t>(cases.passed + cases.failedButOk),
                static_cast<std::size_t>(cases.failed));
  }
};
CATCH_REGISTER_LISTENER(CountLine)
}  // namespace
