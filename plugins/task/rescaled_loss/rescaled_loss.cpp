#include <lopt/plugin.h>

using namespace lopt;

/// A task whose loss is in another unit, and counted from elsewhere: scale · loss + offset. Whether a rule minds.
class RescaledLoss final : public TaskWrapper {
 public:
  explicit RescaledLoss(Settings& s)
      : TaskWrapper(s.component<Task>("task").doc("whose loss is in another unit")),
        scale_(s.real("scale", 1000).above(0).doc("what each loss is multiplied with")),
        offset_(s.real("offset", 0).doc("added to it then: losses may be negative")) {}

  Tensor loss(const Tree& params, const Tree& batch, Key key) const override {
    return rescaled(inner().loss(params, batch, key));
  }
  TrainingLoss training_loss(const Tree& params, const Tree& state, const Tree& batch, Key key) const override {
    const TrainingLoss own = inner().training_loss(params, state, batch, key);
    return {rescaled(own.loss), own.state};
  }
  Tensor evaluation_loss(const Tree& params, const Tree& state, const Tree& batch, Key key) const override {
    return rescaled(inner().evaluation_loss(params, state, batch, key));
  }

 private:
  Tensor rescaled(const Tensor& loss) const { return scale_ * loss + offset_; }

  double scale_, offset_;
};

LOPT_PLUGIN(RescaledLoss, "rescaled_loss", {.summary = "Around a task: its loss in another unit, from another zero"})
