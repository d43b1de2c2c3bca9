#include <lopt/plugin.h>

#include <algorithm>
#include <cmath>

using namespace lopt;

/// A task that trains on a random part of each batch, drawn with replacement from the step's key. Evaluations are of
/// whole batches.
class SubsampledLoss final : public TaskWrapper {
 public:
  explicit SubsampledLoss(Settings& s)
      : TaskWrapper(s.component<Task>("task").doc("what is trained")),
        share_(s.real("share", 0.25).above(0).at_most(1).doc("of a batch's examples that a step sees")) {}

  TrainingLoss training_loss(const Tree& params, const Tree& state, const Tree& batch, Key key) const override {
    if (batch.leaf_count() == 0) return inner().training_loss(params, state, batch, key);
    const auto size = static_cast<std::int32_t>(batch.leaves()[0].dim(0));
    const auto count = std::max<std::int64_t>(1, std::llround(share_ * size));
    const Tensor rows = randint(fold_in(key, 1), {count}, 0, size);
    const Tree part = map([&](const Tensor& leaf) { return gather_rows(leaf, rows); }, batch);
    return inner().training_loss(params, state, part, fold_in(key, 0));
  }

 private:
  double share_;
};

LOPT_PLUGIN(SubsampledLoss, "subsampled_loss", {.summary = "Around a task: steps on a random part of each batch"})
