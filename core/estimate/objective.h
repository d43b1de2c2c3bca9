#pragma once
// What is minimised: what the losses of an unroll count for.

#include "estimate/baseline_losses.h"

#include <lopt/estimator.h>
#include <lopt/task.h>

#include <span>

namespace lopt {

/// The spec's `meta_objective`.
struct MetaObjective {
  enum class Over { mean, last, least };
  Over over = Over::mean;      // of the losses of an unroll: their mean, the last, the smallest since the problem began
  bool normalized = false;     // each over the problem's first loss
  bool log = false;            // the logarithm of each
  bool normalizer = false;     // each on the scale that tasks share: Task::normalized()
  bool validation = false;     // of batches of the validation split
  bool with_training = false;  // half of it: the other half is of the batches that are trained on
  double validation_share = 0;  // of the training examples that are set apart; 0: none
  std::string metric = {};      // a metric of the task in place of its loss

  bool relative_by_step = false;                        // what the baseline's losses are taken at
  std::shared_ptr<const BaselineLosses> baseline = {};  // each loss over those of another optimizer; null: not

  bool is_losses_as_they_are() const { return over == Over::mean && !normalized && !log && !baseline; }
};

/// The loss that counts, and d counted / d loss: 1 below the clip, ½ at it (as in JAX), 0 above it and at NaN.
struct CountedLoss {
  float value, slope;
};
CountedLoss counted_loss(float loss, float clip);

/// Turns the losses of a lane's unroll into those that count. Last and smallest losses stand in every step of a
/// problem's part of the unroll, so that the mean over steps is what counts.
class ObjectiveLosses {
 public:
  /// `losses` and `slopes` [steps]: what counts, and d (sum of what counts) / d loss. `slopes` may be empty.
  ObjectiveLosses(const MetaObjective& objective, float clip, std::span<float> losses, std::span<float> slopes = {})
      : objective_(objective), clip_(clip), losses_(losses), slopes_(slopes) {}

  /// The loss of step `k`, with which a new problem begins or does not.
  void add(Lane& lane, std::size_t k, bool begins, float loss);
  /// After the last step.
  void finish() { end_part(losses_.size()); }

 private:
  void end_part(std::size_t end);
  float scale_of(Lane& lane, float loss) const;

  const MetaObjective& objective_;
  float clip_;
  std::span<float> losses_, slopes_;
  std::size_t part_begin_ = 0;
  std::optional<std::size_t> least_at_;                   // within the part; none: before it
  float least_ = std::numeric_limits<float>::infinity();  // of the part's problem; the lane's is the next one's already
};

/// What decides which losses are looked at, and not what they count for.
MetaObjective data_of(const MetaObjective& objective);

/// The family, whose tasks keep a share of their training examples apart where the objective wants it. Throws DataError
/// where a task has no dataset, unless its training losses count too.
std::shared_ptr<const TaskFamily> with_validation_split(std::shared_ptr<const TaskFamily> family,
                                                        const MetaObjective& objective);

}  // namespace lopt
