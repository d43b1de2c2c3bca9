// caught by: sample. It draws a task behind the last one.
#include "bowl.h"

class DrawsOutside final : public lopt::TaskFamily {
 public:
  explicit DrawsOutside(lopt::Settings&) {}
  std::size_t size() const override { return 2; }
  const lopt::Task& task(std::size_t index) const override { return bowls_[index]; }
  std::size_t sample(lopt::HostKey key) const override { return key.low % 3; }

 private:
  Bowl bowls_[3];
};
LOPT_PLUGIN(DrawsOutside, "draws_outside", {.summary = "Draws tasks that it does not have"})
