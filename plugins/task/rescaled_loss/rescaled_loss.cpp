#include "../changed_loss.h"

using namespace lopt;

/// A task whose loss is in another unit, and counted from elsewhere: scale · loss + offset. Whether a rule minds.
class RescaledLoss final : public ChangedLoss {
 public:
  explicit RescaledLoss(Settings& s)
      : ChangedLoss(s.component<Task>("task").doc("whose loss is in another unit")),
        scale_(s.real("scale", 1000).above(0).doc("what each loss is multiplied with")),
        offset_(s.real("offset", 0).doc("added to it then: losses may be negative")) {}

 private:
  Tensor changed(const Tensor& loss) const override { return scale_ * loss + offset_; }

  double scale_, offset_;
};

LOPT_PLUGIN(RescaledLoss, "rescaled_loss", {.summary = "Around a task: its loss in another unit, from another zero"})
