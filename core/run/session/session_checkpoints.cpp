// What a session keeps of a run under way: lines of metrics, checkpoints, and logs of the steps between them.
#include "run/session/session.h"

#include <fmt/format.h>

namespace lopt {
namespace {

/// Where steps are logged, a checkpoint is written so often that making the steps since the last one again takes no
/// longer than beginning a process does, and that it takes a fortieth of the time.
constexpr double least_seconds_between_checkpoints = 1, times_of_a_checkpoint = 40;

}  // namespace

void Session::could_not_write(const std::exception& error) {
  if (experiment_.checkpoint_rules.stop_if_it_fails)
    throw std::runtime_error(fmt::format("{}; the run ends, as the spec says (checkpoint.if_it_fails)", error.what()));
  warn(fmt::format("{}; the run goes on, and tries again later", error.what()));
}

void Session::add_metrics(const Json& line) {
  if (!writes()) return;
  record.add(line);
  const bool failed_before = !waiting_metrics_.empty();
  waiting_metrics_ += to_text(line) + "\n";
  try {
    folder_->metrics().add(waiting_metrics_);
    waiting_metrics_.clear();
  } catch (const std::exception& error) {
    if (!failed_before) could_not_write(error);
  }
}

bool Session::logs_steps() const {
  return experiment_.checkpoint_rules.every_steps == 1 && experiment_.kind == Experiment::Kind::meta_training &&
         experiment_.population.size == 0 && !experiment_.asynchronous;
}

bool Session::checkpoint_is_due() {
  const CheckpointRules& rules = experiment_.checkpoint_rules;
  ++steps_since_checkpoint_;
  if (!rules.wanted) return false;
  if (logs_steps())
    return writes() && !writing_.is_busy() &&
           (!log_ || seconds_since(last_checkpoint_) >=
                         std::max(least_seconds_between_checkpoints, times_of_a_checkpoint * writing_.last_seconds()));
  return rules.every_steps > 0 ? steps_since_checkpoint_ >= rules.every_steps
                               : seconds_since(last_checkpoint_) >= rules.every_seconds;
}

void Session::keep(int step, Checkpoint checkpoint) {
  keep_beside(step, std::move(checkpoint));
  finish_writing();
}

void Session::keep_beside(int step, Checkpoint checkpoint) {
  const auto start = last_checkpoint_ = std::chrono::steady_clock::now();
  steps_since_checkpoint_ = 0;
  if (!writes() || !experiment_.checkpoint_rules.wanted) return;
  finish_writing();
  if (step == last_checkpoint_step_) return;
  checkpoint.facts["run"] = identity();
  checkpoint.facts["run"]["steps"] = experiment_.steps;
  checkpoint.facts["run"]["trace"] = options_.trace;
  checkpoint.facts["run"]["metrics_bytes"] = folder_->metrics().size();
  checkpoint.facts["run"]["metrics_waiting"] = waiting_metrics_;
  if (tracer_.enabled()) checkpoint.trees.emplace_back("trace", tracer_.so_far());
  last_checkpoint_step_ = step;
  writing_.begin([this, step, checkpoint = std::move(checkpoint)] {
    folder_->metrics().sync();
    folder_->write_checkpoint(step, checkpoint, experiment_.checkpoint_rules.keep);
  });
  if (logs_steps()) begin_log(step);
  add_seconds("checkpoints", seconds_since(start));
}

void Session::finish_writing() {
  const auto start = std::chrono::steady_clock::now();
  try {
    writing_.finish();
  } catch (const std::exception& error) {
    last_checkpoint_step_ = -1;
    could_not_write(error);
  }
  add_seconds("checkpoints", seconds_since(start));
}

void Session::begin_log(int step) {
  if (!writes()) return;
  log_.reset();
  try {
    log_ = std::make_unique<StepLog>(folder_->path(), step);
  } catch (const std::exception& error) {
    could_not_write(error);
  }
}

void Session::log(std::span<const std::byte> found) {
  if (!log_) return;
  try {
    log_->add(found);
  } catch (const std::exception& error) {
    log_.reset();  // without this step those that follow are of no use: the next checkpoint begins anew
    could_not_write(error);
  }
}

}  // namespace lopt
