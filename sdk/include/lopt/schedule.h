#pragma once
// Rates that change from update to update.

#include <lopt/optimizer.h>
#include <lopt/settings.h>

namespace lopt {

/// Which update of how many. One convention everywhere: the first update is at step 0, the last at steps − 1.
struct ScheduleContext {
  Tensor step;                 // float32 scalar
  Tensor steps = {};           // float32 scalar, how many updates there are; without a value: not known
  std::int64_t num_steps = 0;  // the same, as far as it is known before the run, at most; 0: not known
};

/// Of an update: `steps` are those of its problem, or of the run where that is not known.
ScheduleContext schedule_context(const UpdateContext& update);

/// A rate as a function of the update.
class Schedule {
 public:
  static constexpr const char* kind = "schedule";
  virtual ~Schedule() = default;

  /// A float32 scalar. Throws std::invalid_argument where it does not fit the run, as in "needs to know how many
  /// updates there are".
  virtual Tensor rate(const ScheduleContext& context) const = 0;
};

/// What a setting declared by Settings::rate() reads: a number, or a schedule.
class Rate {
 public:
  Rate(double number) : number_(number) {}  // NOLINT(google-explicit-constructor)
  /// `where` stands before what the schedule throws: the place in the spec.
  explicit Rate(std::shared_ptr<const Schedule> schedule, std::string where = "")
      : schedule_(std::move(schedule)), where_(std::move(where)) {}

  /// The rate of this update, a scalar. Throws SettingsError where the schedule does not fit the run.
  Tensor at(const UpdateContext& context) const;
  Tensor at(const ScheduleContext& context) const;

 private:
  double number_ = 0;
  std::shared_ptr<const Schedule> schedule_;
  std::string where_;
};

inline RateSetting::operator Rate() {
  const RateValue value = source_.rate(declaration_, fallback_);
  if (!value.schedule) return value.number;
  return Rate(std::static_pointer_cast<const Schedule>(value.schedule), value.where);
}

}  // namespace lopt
