// A meta-training from its first step, or a checkpoint, to its end.
#include "learn/theta_file.h"
#include "report/progress.h"
#include "run/train/apply_theta.h"
#include "run/train/runs.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <numeric>

namespace lopt {
namespace {

/// A θ of so few weights is written into each line of metrics.
constexpr std::size_t most_shown_weights = 8;
Json theta_json(const Values& theta) {
  Json result = Json::object();
  for (std::size_t leaf = 0; leaf < theta.leaf_count(); ++leaf) {
    const Array values = theta.leaves()[leaf];
    const std::string path = theta.paths()[leaf];
    for (std::size_t i = 0; i < values.size(); ++i)
      result[values.size() == 1 ? path : fmt::format("{}/{}", path, i)] = values.values<float>()[i];
  }
  return result;
}

class MetaRun {
 public:
  MetaRun(Session& session, const Checkpoint* from)
      : session_(session),
        experiment_(session.experiment()),
        training_(experiment_, session.threads(), session.ranks()) {
    session_.require_equal_ranks();
    // A signal ends a long step only where no other process waits for it.
    if (!session_.ranks() || (training_.is_asynchronous() && !training_.is_worker()))
      training_.set_interrupt(stop_wanted);
    if (from) resume(*from);
  }

  int run() {
    if (!resumed_) {
      session_.begin();
      session_.tracer().start(training_);
    }
    try {
      train();
      agree_on_traffic();
    } catch (const RanksLost&) {
      throw;  // the others go on in the folder
    } catch (...) {
      if (session_.writes() && !resumed_ && !session_.folder().has_metrics()) session_.folder().discard();
      throw;
    }
    if (!session_.options().trace.empty()) session_.tracer().finish(training_, training_.whole_state());
    if (session_.writes()) {
      report();
      const Values theta = training_.whole(training_.theta());
      if (!stop_wanted() && !ended_early_)
        apply_theta(session_, theta,
                    training_.has_average() ? std::optional(training_.whole(training_.average())) : std::nullopt);
      add_pictures(session_, theta, horizon());
    }
    const int code = session_.finish(true, training_.steps_done());
    if (ended_early_) throw std::runtime_error(*ended_early_);
    if (!losses_.empty() && static_cast<std::size_t>(skipped_) == losses_.size() && code == success)
      throw std::runtime_error(
          fmt::format("not one of {} meta-steps counted, so θ is what it was: their meta-gradients were not finite; "
                      "`lopt-run explain "
                      "{} 0` says where that begins",
                      losses_.size(), session_.writes() ? session_.folder().path() : "RUN"));
    return code;
  }

 private:
  void resume(const Checkpoint& from) {
    training_.restore(from);
    resumed_ = true;
    if (session_.tracer().enabled()) session_.tracer().restore(from);
    if (!session_.writes()) return;
    std::ifstream metrics(session_.folder().file("metrics.jsonl"));
    std::string waiting = from.facts.at("run").at("metrics_waiting").get<std::string>();
    std::stringstream all;
    all << metrics.rdbuf() << waiting;
    for (std::string line; std::getline(all, line);) {
      const auto json = parse_json(line);
      if (!json.is_object() || !json.contains("meta_loss"))
        throw DataError(
            fmt::format("{}: line {} is damaged", session_.folder().file("metrics.jsonl"), losses_.size() + 1));
      const auto& loss = json["meta_loss"];
      losses_.push_back(loss.is_number() ? loss.get<float>() : std::nanf(""));
      skipped_ += json.value("skipped", false);
      clipped_ += json.value("clipped", false);
      diverged_ += json.value("inner_diverged", std::int64_t{0});
      if (json.contains("validation")) note_validation(json);
      session_.record.add(json);
    }
    if (losses_.size() != static_cast<std::size_t>(training_.steps_done()))
      throw DataError(fmt::format("{}: has {} lines where the checkpoint has {} steps",
                                  session_.folder().file("metrics.jsonl"), losses_.size(), training_.steps_done()));
  }

  /// The learned optimizer with all of its settings, as the spec has it.
  const SpecNode& rule() const { return *experiment_.resolved.find("learned_optimizer"); }

  /// Steps of the longest problem of all stages.
  std::int64_t horizon() const {
    std::int64_t longest = experiment_.estimator->problem_steps();
    for (const auto& stage : experiment_.stages) longest = std::max(longest, stage->estimator->problem_steps());
    return longest;
  }

  std::size_t weights() const {
    std::size_t count = 0;
    for (const Array& leaf : training_.theta().leaves()) count += leaf.size();
    return count;
  }

  std::string note() const {
    std::string text;
    if (skipped_) text += fmt::format("{} skipped  ", skipped_);
    if (training_.roll_backs()) text += fmt::format("{} rolled back  ", training_.roll_backs());
    return text;
  }

  void train() {
    session_.say(
        fmt::format("Meta-training '{}': {} steps, θ has {} weights.", experiment_.name, experiment_.steps, weights()));
    if (Communicator* ranks = session_.ranks(); ranks && ranks->size() > training_.stage().shards)
      session_.say(
          fmt::format("{} ranks share the problems of {} shard{}, and each draws the noise of all of them; with "
                      "`shards: {}` each has its own alone.",
                      ranks->size(), training_.stage().shards, training_.stage().shards > 1 ? "s" : "", ranks->size()));
    Progress progress("meta-loss", experiment_.steps, session_.quiet(), training_.steps_done());
    if (training_.is_worker()) return training_.work();
    for (std::span<const std::byte> found : session_.logged())
      if (training_.steps_done() < experiment_.steps && !stop_wanted()) step(progress, found);
    if (resumed_ && session_.logs_steps()) session_.begin_log(training_.steps_done());
    Session::Wish wish = Session::Wish::go_on;
    while (training_.steps_done() < experiment_.steps && wish != Session::Wish::stop && !ended_early_) {
      const Traffic before = traffic();
      try {
        step(progress);
      } catch (const Interrupted&) {
        break;  // the training is as it was before the step
      }
      if (session_.logs_steps()) session_.log(training_.found());
      wish = session_.agree();
      sent_.bytes += traffic().bytes - before.bytes;
      sent_.messages += traffic().messages - before.messages;
      ++steps_made_;
      if (wish == Session::Wish::checkpoint && training_.steps_done() < experiment_.steps) keep();
    }
    keep();
    if (session_.writes()) session_.finish_writing();
    training_.end_work();
  }

  /// What the rank that sends most has sent in all steps.
  void agree_on_traffic() {
    if (Communicator* ranks = session_.ranks()) {
      sent_.bytes = static_cast<std::uint64_t>(most(*ranks, static_cast<std::int64_t>(sent_.bytes)));
      sent_.messages = static_cast<std::uint64_t>(most(*ranks, static_cast<std::int64_t>(sent_.messages)));
    }
  }

  /// `logged`: what an earlier process found in this step, or nothing.
  void step(Progress& progress, std::optional<std::span<const std::byte>> logged = {}) {
    const auto start = std::chrono::steady_clock::now();
    const std::size_t stage = training_.stage_index();
    const MetaStep step = logged ? training_.replay(*logged) : training_.step();
    step_took(seconds_since(start));
    if (training_.stage_index() != stage) keep_theta(fmt::format("stage-{}/theta.npz", stage + 1));
    losses_.push_back(step.loss);
    skipped_ += step.skipped;
    clipped_ += step.clipped;
    diverged_ += step.diverged;
    session_.tracer().add(step);
    Json metrics{{"step", step.step},
                 {"meta_loss", step.loss},
                 {"gradient_norm", step.gradient_norm},
                 {"seconds", seconds_since(start)},
                 {"skipped", step.skipped},
                 {"clipped", step.clipped},
                 {"inner_diverged", step.diverged},
                 {"rolled_back", step.rolled_back},
                 {"lane_age", step.lane_age},
                 {"lane_length", step.lane_length}};
    if (training_.is_asynchronous()) {
      metrics["gradient_age"] = step.gradient_age;
      metrics["dropped"] = step.dropped;
    }
    if (weights() <= most_shown_weights) metrics["theta"] = theta_json(step.theta);
    if (!experiment_.stages.empty()) metrics["stage"] = training_.stage_index();
    if (step.validation) add_validation(metrics, step);
    if (!step.member_losses.empty()) {
      Json members = Json::object();
      for (const auto& [member, loss] : step.member_losses) members[std::to_string(member)] = loss;
      metrics["member_losses"] = std::move(members);
    }
    session_.add_metrics(metrics);
    session_.add_seconds("meta-steps", seconds_since(start));
    if (session_.page_is_due())
      session_.write_page(session_.record, fmt::format("Meta-training goes on: {} of {} steps; meta-loss {:.4g}.",
                                                       step.step + 1, experiment_.steps, mean_last(losses_)));
    if (experiment_.application && training_.steps_done() == experiment_.steps / 2) keep_theta(half_way_file);
    progress.update(step.step + 1, static_cast<double>(step.loss), note());
    if (!step.fault.empty()) {
      session_.summary["first_not_finite"] = fmt::format("meta-step {}, {}", step.step, step.fault);
      session_.say(fmt::format("\nNot finite from meta-step {}, {}.", step.step, step.fault));
    }
    const GradientRules& rules = training_.stage().gradient_rules;
    if (training_.skipped_in_a_row() >= rules.stop_after)
      ended_early_ = fmt::format(
          "training ends at step {}: {} meta-gradients in a row were not finite (meta_gradient.stop_after says how "
          "many "
          "are borne); `lopt-run explain {} {}` says where the last one comes from",
          training_.steps_done(), rules.stop_after, session_.writes() ? session_.folder().path() : "RUN", step.step);
    if (training_.roll_backs() > rules.most_roll_backs)
      ended_early_ = fmt::format(
          "training ends at step {}: the meta-loss has blown up {} times, and θ went back each "
          "time; a smaller step size may help",
          training_.steps_done(), training_.roll_backs());
  }

  /// What θ is worth on the tasks of `validate`, in the line of its meta-step.
  void add_validation(Json& metrics, const MetaStep& step) {
    metrics["validation"] = step.validation->score;
    Json losses = Json::object();
    for (std::size_t i = 0; i < step.validation->losses.size(); ++i)
      losses[training_.stage().validation.problems[i].label] = step.validation->losses[i];
    metrics["validation_losses"] = std::move(losses);
    if (step.average_validation) metrics["validation_of_average"] = step.average_validation->score;
    note_validation(metrics);
  }
  void note_validation(const Json& metrics) {
    const auto number = [&](const char* key) {
      return metrics.contains(key) && metrics[key].is_number() ? metrics[key].get<float>() : std::nanf("");
    };
    validations_.push_back({metrics.at("step").get<int>(), number("validation"), number("validation_of_average"),
                            metrics.contains("validation_of_average")});
  }

  void keep() {
    session_.keep_beside(training_.steps_done(), training_.checkpoint());
    if (session_.writes() && training_.best_step() > 0 && training_.best_step() != written_best_)
      write_best(training_.best_theta());
  }

  void write_best(const Values& theta) {
    try {
      write("best/theta.npz", theta);
      written_best_ = training_.best_step();
    } catch (const std::exception& error) {
      Session::warn(error.what());
    }
  }

  /// Trained parts of θ, with the others, in a file of the run's folder.
  void write(const std::string& name, const Values& trained) {
    const std::filesystem::path file = session_.folder().file(name);
    std::filesystem::create_directories(file.parent_path());
    write_theta(file.string(), training_.whole(trained), rule(), horizon());
  }

  /// θ as it is now. Where that fails, says so and goes on.
  void keep_theta(const std::string& name) {
    if (!session_.writes()) return;
    try {
      write(name, training_.theta());
    } catch (const std::exception& error) {
      Session::warn(error.what());
    }
  }

  void report() {
    write("theta.npz", training_.theta());
    if (training_.best_step() == 0) write_best(training_.theta());  // too few steps for a mean of 20
    if (training_.has_average()) write("average/theta.npz", training_.average());
    session_.curves.push_back({"meta-loss", losses_});
    add_validation_curves();
    Json& summary = session_.summary;
    summary["meta_steps"] = losses_.size();
    summary["meta_loss_first_20"] = mean_first(losses_);
    summary["meta_loss_last_20"] = mean_last(losses_);
    summary["best_step"] = training_.best_step();
    summary[training_.validates() ? "best_validation" : "best_meta_loss"] =
        training_.best_step() ? Json(training_.best_loss()) : nullptr;
    summary["skipped_steps"] = skipped_;
    summary["clipped_steps"] = clipped_;
    summary["roll_backs"] = training_.roll_backs();
    summary["inner_diverged"] = diverged_;
    if (session_.ranks()) {
      summary["ranks"] = session_.ranks()->size();
      if (training_.is_asynchronous()) {
        const TakenIn& taken = training_.taken_in();
        summary["asynchronous"] = {{"estimates", taken.estimates},
                                   {"mean_age", static_cast<double>(taken.age) /
                                                    static_cast<double>(std::max<std::int64_t>(1, taken.estimates))},
                                   {"dropped", taken.dropped},
                                   {"by_rank", taken.by_rank}};
      }
      // Of the rank that sends most.
      const auto steps = static_cast<std::uint64_t>(std::max(1, steps_made_));
      summary["bytes_a_step"] = sent_.bytes / steps;
      summary["messages_a_step"] = static_cast<double>(sent_.messages) / static_cast<double>(steps);
    }
    session_.say(fmt::format("\nMeta-loss: {:.3f} → {:.3f} (means of the first and last {} of {} meta-steps).",
                             mean_first(losses_), mean_last(losses_), std::min<std::size_t>(20, losses_.size()),
                             losses_.size()));
    if (skipped_) session_.say(fmt::format("{} steps were skipped: their meta-gradient was not finite.", skipped_));
    if (training_.roll_backs())
      session_.say(
          fmt::format("θ went back to its best {} times: the meta-loss had blown up.", training_.roll_backs()));
  }

  /// Validations are as many steps apart, but for the last of a stage: as a curve, each holds until the next.
  void add_validation_curves() {
    if (validations_.empty()) return;
    const auto curve = [&](const std::string& label, float Validated::*value) {
      Curve result{label, {}, validations_.front().step, 1};
      for (std::size_t i = 0; i < validations_.size(); ++i) {
        const int until = i + 1 < validations_.size() ? validations_[i + 1].step : validations_[i].step + 1;
        result.values.insert(result.values.end(), static_cast<std::size_t>(until - validations_[i].step),
                             validations_[i].*value);
      }
      session_.curves.push_back(std::move(result));
    };
    curve("validation", &Validated::score);
    if (validations_.back().has_average) curve("validation, averaged θ", &Validated::of_average);
    if (training_.best_step() > 0)
      session_.say(fmt::format("Validation: {:.3f} → {:.3f}; best {:.3f} after step {}, in best/theta.npz.",
                               validations_.front().score, validations_.back().score, training_.best_loss(),
                               training_.best_step()));
  }

  Traffic traffic() const { return session_.ranks() ? session_.ranks()->traffic() : Traffic(); }

  Session& session_;
  Experiment& experiment_;
  MetaTraining training_;
  std::vector<float> losses_;
  struct Validated {
    int step;
    float score, of_average;
    bool has_average;
  };
  std::vector<Validated> validations_;
  int skipped_ = 0, clipped_ = 0, written_best_ = 0;
  std::int64_t diverged_ = 0;
  bool resumed_ = false;
  Traffic sent_;        // in steps
  int steps_made_ = 0;  // in this process
  std::optional<std::string> ended_early_;
};

}  // namespace

int run_meta_training(Session& session, const Checkpoint* from) { return MetaRun(session, from).run(); }

}  // namespace lopt
