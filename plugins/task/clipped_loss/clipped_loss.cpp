#include <lopt/plugin.h>

using namespace lopt;

/// A task whose loss is at most `most`; beyond it there is no slope.
class ClippedLoss final : public TaskWrapper {
 public:
  explicit ClippedLoss(Settings& s)
      : TaskWrapper(s.component<Task>("task").doc("whose loss is clipped")),
        most_(s.real("most", 10).doc("the largest loss")) {}

  Tensor loss(const Tree& params, const Tree& batch, Key key) const override {
    return minimum(inner().loss(params, batch, key), most_);
  }
  TrainingLoss training_loss(const Tree& params, const Tree& state, const Tree& batch, Key key) const override {
    const TrainingLoss own = inner().training_loss(params, state, batch, key);
    return {minimum(own.loss, most_), own.state};
  }
  Tensor evaluation_loss(const Tree& params, const Tree& state, const Tree& batch, Key key) const override {
    return minimum(inner().evaluation_loss(params, state, batch, key), most_);
  }

 private:
  double most_;
};

LOPT_PLUGIN(ClippedLoss, "clipped_loss", {.summary = "Around a task: losses up to a largest one"})
