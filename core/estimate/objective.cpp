#include "estimate/objective.h"

#include "data/validation_split.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace lopt {
namespace {
constexpr float least_counted = 1e-30F;  // whose logarithm and quotient are finite
}

CountedLoss counted_loss(float loss, float clip) {
  if (std::isinf(clip)) return {loss, 1};
  if (std::isnan(loss)) return {clip, 0};
  if (loss < clip) return {loss, 1};
  return {clip, loss == clip ? 0.5F : 0.0F};
}

float ObjectiveLosses::scale_of(Lane& lane, float loss) const {
  if (objective_.baseline) return objective_.baseline->scale(lane);
  if (std::isnan(lane.first_loss)) lane.first_loss = loss;
  if (!objective_.normalized || !std::isfinite(lane.first_loss)) return 1;
  return std::max(std::abs(lane.first_loss), least_counted);
}

void ObjectiveLosses::add(Lane& lane, std::size_t k, bool begins, float loss) {
  if (!objective_.is_losses_as_they_are() && begins) end_part(k);
  const float scale = objective_.is_losses_as_they_are() ? 1 : scale_of(lane, loss);
  auto [value, slope] = counted_loss(loss / scale, clip_);
  if (!objective_.is_losses_as_they_are()) {
    slope /= scale;
    if (objective_.log) {
      slope = value > least_counted ? slope / value : 0;
      value = std::log(std::max(value, least_counted));
    }
    if (value < lane.least_loss) {
      lane.least_loss = value;
      least_at_ = k;
    }
    least_ = lane.least_loss;
  }
  losses_[k] = value;
  if (!slopes_.empty()) slopes_[k] = slope;
}

void ObjectiveLosses::end_part(std::size_t end) {
  if (objective_.over == MetaObjective::Over::mean || end == part_begin_) return;
  const bool last = objective_.over == MetaObjective::Over::last;
  const float value = last ? losses_[end - 1] : least_;
  const std::optional<std::size_t> at = last ? end - 1 : least_at_;
  const float weight = static_cast<float>(end - part_begin_);
  for (std::size_t k = part_begin_; k < end; ++k) {
    losses_[k] = value;
    if (!slopes_.empty()) slopes_[k] = k == at ? slopes_[k] * weight : 0;
  }
  part_begin_ = end;
  least_at_.reset();
}

namespace {

/// A task whose dataset is split.
class SplitTask final : public TaskWrapper {
 public:
  /// The family that has the task keeps it.
  SplitTask(const Task& task, std::shared_ptr<const Dataset> dataset)
      : TaskWrapper({std::shared_ptr<void>(), &task}), dataset_(std::move(dataset)) {}
  Batches batches() const override { return {dataset_, inner().batches().size}; }

 private:
  std::shared_ptr<const Dataset> dataset_;
};

class SplitFamily final : public TaskFamily {
 public:
  SplitFamily(std::shared_ptr<const TaskFamily> family, const MetaObjective& objective) : family_(std::move(family)) {
    std::vector<std::pair<const Dataset*, std::shared_ptr<const Dataset>>> splits;  // one for each dataset
    for (std::size_t i = 0; i < family_->size(); ++i) {
      const Batches batches = family_->task(i).batches();
      if (!batches.dataset) {
        if (!objective.with_training)
          throw DataError(
              fmt::format("task {} has no dataset, so meta_objective finds no validation batches; `data: both` takes "
                          "its own losses",
                          i));
        tasks_.emplace_back(family_->task(i), nullptr);
        continue;
      }
      auto known = std::find_if(splits.begin(), splits.end(),
                                [&](const auto& split) { return split.first == batches.dataset.get(); });
      if (known == splits.end())
        known = splits.insert(splits.end(),
                              {batches.dataset.get(), std::make_shared<ValidationSplit>(
                                                          batches.dataset, objective.validation_share, batches.size)});
      tasks_.emplace_back(family_->task(i), known->second);
    }
  }
  std::size_t size() const override { return tasks_.size(); }
  const Task& task(std::size_t index) const override { return tasks_[index]; }
  std::size_t sample(HostKey key) const override { return family_->sample(key); }

 private:
  std::shared_ptr<const TaskFamily> family_;
  std::vector<SplitTask> tasks_;
};

}  // namespace

MetaObjective data_of(const MetaObjective& objective) {
  return {.validation = objective.validation,
          .with_training = objective.with_training,
          .validation_share = objective.validation_share};
}

std::shared_ptr<const TaskFamily> with_validation_split(std::shared_ptr<const TaskFamily> family,
                                                        const MetaObjective& objective) {
  if (objective.validation_share <= 0) return family;
  return std::make_shared<SplitFamily>(std::move(family), objective);
}

}  // namespace lopt
