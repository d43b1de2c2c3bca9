#include <lopt/schedule.h>

namespace lopt {
ScheduleContext schedule_context(const UpdateContext& update) {
  ScheduleContext context{convert(update.iteration, DType::float32), {}, update.num_steps};
  const auto known = static_cast<double>(update.num_steps);
  if (update.length) {
    const Tensor length = convert(update.length, DType::float32);
    if (update.num_steps > 0) context.steps = where(length > 0, length, known);
  } else if (update.num_steps > 0) {
    context.steps = full({}, known);
  }
  return context;
}

Tensor Rate::at(const UpdateContext& context) const {
  return schedule_ ? at(schedule_context(context)) : Tensor(number_);
}

Tensor Rate::at(const ScheduleContext& context) const {
  if (!schedule_) return number_;
  try {
    const Tensor rate = schedule_->rate(context);
    if (rate.type() != Type{DType::float32, {}})
      throw SettingsError("its schedule gives " + to_text(rate.type()) + ", not a float32 scalar");
    return rate;
  } catch (const SettingsError& error) {
    const std::string text = error.what();
    throw SettingsError(where_.empty() || text.starts_with(where_) ? text : where_ + ": " + text);
  }
}

}  // namespace lopt
