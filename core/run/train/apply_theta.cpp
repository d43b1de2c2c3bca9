#include "run/train/apply_theta.h"

#include "data/batch.h"
#include "learn/update_picture.h"
#include "report/evaluation_beside.h"
#include "report/preview.h"
#include "run/session/signals.h"
#include "run/train/runs.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numeric>

namespace lopt {
namespace {

struct AppliedRow {
  std::string label;
  double mean, last;
  std::optional<Evaluation> test;
  std::size_t diverged;
};

/// Runs to the end, and adds its curves.
AppliedRow applied_row(Session& session, const std::string& label, InnerTraining& training) {
  run_all(training);
  AppliedRow row{label, 0, 0, std::nullopt, 0};
  const std::vector<float> mean = training.mean_curve();
  const std::size_t runs = training.losses().size();
  for (const std::vector<float>& losses : training.losses()) {
    row.diverged += has_diverged(losses);
    const auto last = std::span(losses).last(std::min<std::size_t>(10, losses.size()));
    row.last += std::accumulate(last.begin(), last.end(), 0.0) / static_cast<double>(last.size() * runs);
  }
  if (const std::vector<Evaluation> tests = training.tests(); !tests.empty()) row.test = mean_of(tests);
  row.mean = std::accumulate(mean.begin(), mean.end(), 0.0) / static_cast<double>(mean.size());
  Curve curve{label, mean};
  for (std::size_t step = 0; runs > 1 && step < mean.size(); ++step) {
    std::vector<float> of_runs;
    for (const std::vector<float>& losses : training.losses()) of_runs.push_back(losses[step]);
    const auto [low, high] = std::ranges::minmax(of_runs);
    curve.low.push_back(low);
    curve.high.push_back(high);
  }
  session.applied_curves.push_back(std::move(curve));
  session.shown["applied"].push_back(spread_curve(label, training.losses()));
  return row;
}

/// θ before meta-training and half-way through it, for the page alone.
void show_earlier_thetas(Session& session) {
  const Experiment& experiment = session.experiment();
  const LearnedOptimizer& learned = *experiment.learned_optimizer;
  const auto add = [&](const std::string& label, const Values& theta) {
    const auto training = make_application(experiment, theta, session.threads());
    run_all(*training);
    if (!stop_wanted()) session.shown["applied"].push_back(spread_curve(label, training->losses()));
  };
  add("θ before meta-training", experiment.theta_file.empty() ? initial_theta(learned, experiment.seed)
                                                              : read_theta(learned, experiment.theta_file));
  const std::string half_way = session.folder().file(half_way_file);
  if (std::filesystem::exists(half_way)) add("θ half-way", read_theta(learned, half_way));
}

/// "13 % below", "as high as".
std::string beside_in_words(double own, double other) {
  const std::string text = in_percent(own / other);
  return text.ends_with("high") ? text + " as" : text;
}

/// The learned optimizer beside the best of the others, in words; nothing where there are none.
std::string verdict_in_words(const std::vector<AppliedRow>& rows, std::size_t own_rows) {
  if (rows.size() <= own_rows) return "";
  const auto others = rows.begin() + static_cast<std::ptrdiff_t>(own_rows);
  const auto best = std::min_element(others, rows.end(), [](const AppliedRow& a, const AppliedRow& b) {
    return std::isnan(b.mean) || a.mean < b.mean;
  });
  const AppliedRow& own = rows.front();
  if (!std::isfinite(own.mean)) return "The learned optimizer diverged.";
  if (!std::isfinite(best->mean)) return "The learned optimizer is the only one that did not diverge.";
  std::string text = fmt::format("The learned optimizer's mean loss is {} that of {}",
                                 beside_in_words(own.mean, best->mean), best->label);
  if (own.test && best->test && std::isfinite(own.test->loss) && std::isfinite(best->test->loss))
    text += fmt::format("; its test loss is {}", beside_in_words(own.test->loss, best->test->loss));
  return text + ".";
}

void report_rows(Session& session, const std::vector<AppliedRow>& rows, std::size_t own_rows) {
  const Application& application = *session.experiment().application;
  const std::size_t problems = application.seeds.size();
  std::string text =
      fmt::format("\nTried on {} fresh problems, {} steps each: mean training loss of all steps, of the last 10{}\n",
                  problems, application.steps, rows[0].test ? ", test loss" : "");
  Json json = Json::array();
  for (const AppliedRow& row : rows) {
    text += fmt::format("  {:<34} {:.3f}   {:.3f}", row.label, row.mean, row.last);
    if (row.test) text += fmt::format("   {:.3f}{}", row.test->loss, metrics_text(row.test->metrics));
    if (row.diverged) text += fmt::format("   ({} of {} diverged)", row.diverged, problems);
    text += "\n";
    json.push_back({{"optimizer", row.label},
                    {"mean_loss", row.mean},
                    {"loss_last_10", row.last},
                    {"test_loss", row.test ? Json(row.test->loss) : nullptr},
                    {"diverged", row.diverged}});
    if (row.test && !row.test->metrics.empty()) json.back()["test_metrics"] = metrics_json(row.test->metrics);
  }
  if (const std::string words = verdict_in_words(rows, own_rows); !words.empty()) {
    text += "\n" + words + "\n";
    session.summary["verdict"] = Json::array({words});
  }
  session.say(text);
  session.summary["applied"] = json;
}

Json maps_of(const std::string& label, const UpdatePicture& picture) {
  Json maps{{"label", label}, {"axis", short_numbers(picture.axis)}, {"maps", Json::array()}};
  for (const UpdatePicture::Moment& moment : picture.moments) {
    float largest = 0;
    for (const float change : moment.change) largest = std::max(largest, std::abs(change));
    maps["maps"].push_back({{"label", fmt::format("step {}", moment.step + 1)},
                            {"largest", short_number(static_cast<double>(largest))},
                            {"values", short_numbers(moment.change)}});
  }
  return maps;
}

}  // namespace

void apply_theta(Session& session, const Values& theta, const std::optional<Values>& average) {
  const Experiment& experiment = session.experiment();
  if (!experiment.application) return;
  const auto start = std::chrono::steady_clock::now();
  std::vector<AppliedRow> rows;
  rows.push_back(applied_row(session, "learned optimizer", *make_application(experiment, theta, session.threads())));
  if (average)
    rows.push_back(applied_row(session, "with averaged θ", *make_application(experiment, *average, session.threads())));
  const std::size_t own_rows = rows.size();
  try {
    for (const Comparison& asked : experiment.comparisons) {
      const Comparison comparison = asked.tuned ? tuned(experiment, asked, session.threads(), stop_wanted) : asked;
      rows.push_back(applied_row(session, comparison.label,
                                 *make_comparison(experiment, *comparison.optimizer, session.threads())));
    }
  } catch (const Interrupted&) {
    // What was tried until then is reported; finish() says that somebody wanted an end.
  }
  report_rows(session, rows, own_rows);
  show_earlier_thetas(session);
  session.add_seconds("trying θ", seconds_since(start));
}

void add_pictures(Session& session, const Values& theta, std::int64_t horizon) {
  const Experiment& experiment = session.experiment();
  const std::int64_t steps =
      experiment.application ? experiment.application->steps : std::max<std::int64_t>(horizon, 100);
  try {
    Json pictures = Json::array();
    const auto add = [&](const std::string& name, const OptimizerSource& source, const Values& weights) {
      pictures.push_back(maps_of(name, update_picture(source, weights, steps, stop_wanted)));
    };
    add(experiment.name, source_of(experiment.learned_optimizer), theta);
    if (const auto adam = session.optimizer_named("adam"))
      add("adam", source_of(adam), Values(std::vector<Values::Entry>{}));
    session.shown["update"] = std::move(pictures);
  } catch (const std::exception&) {
    // A rule that has no use for a vector alone has no such picture, nor has a run that is to end.
  }
  if (const Batches batches = experiment.family->task(0).batches(); batches.dataset)
    if (Json images = first_images(first_batch(batches, data_key(experiment.seed))); !images.is_null())
      session.shown["images"] = std::move(images);
}

}  // namespace lopt
