#include "../changed_loss.h"

using namespace lopt;

/// A task whose loss is at most `most`; beyond it there is no slope.
class ClippedLoss final : public ChangedLoss {
 public:
  explicit ClippedLoss(Settings& s)
      : ChangedLoss(s.component<Task>("task").doc("whose loss is clipped")),
        most_(s.real("most", 10).doc("the largest loss")) {}

 private:
  Tensor changed(const Tensor& loss) const override { return minimum(loss, most_); }

  double most_;
};

LOPT_PLUGIN(ClippedLoss, "clipped_loss", {.summary = "Around a task: losses up to a largest one"})
