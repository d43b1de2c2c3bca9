#include <lopt/plugin.h>

using namespace lopt;

/// A classifier that is trained on some wrong labels: with probability `share` a label of the training batch is
/// replaced by one drawn evenly from all classes, anew at each step. Evaluations are on the true labels.
class LabelNoise final : public TaskWrapper {
 public:
  explicit LabelNoise(Settings& s)
      : TaskWrapper(s.component<Task>("task").doc("whose labels are noisy")),
        share_(s.real("share", 0.1).between(0, 1).doc("of labels that are replaced")),
        classes_(s.integer("classes", 10).between(2, 65536).doc("from which they are drawn")) {}

  TrainingLoss training_loss(const Tree& params, const Tree& state, const Tree& batch, Key key) const override {
    const Tensor label = batch["label"];
    Tree noisy = batch;
    noisy.set("label", where(uniform(fold_in(key, 1), label.shape()) < share_,
                             randint(fold_in(key, 2), label.shape(), 0, classes_), label));
    return inner().training_loss(params, state, noisy, fold_in(key, 0));
  }

 private:
  double share_;
  int classes_;
};

LOPT_PLUGIN(LabelNoise, "label_noise", {.summary = "Around a classifier: some labels of training batches are wrong"})
