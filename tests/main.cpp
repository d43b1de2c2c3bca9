#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>

#include <cstdio>

namespace {
/// The line that tests/run adds up.
struct CountLine : Catch::TestEventListenerBase {
  using TestEventListenerBase::TestEventListenerBase;
  void testRunEnded(const Catch::TestRunStats& stats) override {
    std::printf("%zu passed, %zu failed\n", stats.totals.testCases.passed + stats.totals.testCases.failedButOk,
                stats.totals.testCases.failed);
  }
};
CATCH_REGISTER_LISTENER(CountLine)
}  // namespace
