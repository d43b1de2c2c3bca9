// caught by: calls. Its opt_fn() makes nothing.
#include <lopt/plugin.h>

class Nothing final : public lopt::LearnedOptimizer {
 public:
  explicit Nothing(lopt::Settings&) {}
  lopt::Tree init(lopt::Key) const override { return {{"w", lopt::zeros({})}}; }
  std::unique_ptr<lopt::Optimizer> opt_fn(const lopt::Tree&) const override { return nullptr; }
};
LOPT_PLUGIN(Nothing, "nothing", {.summary = "Makes no optimizer"})
