// An inner training, or trials of θ, from the first step, or a checkpoint, to the end.
#include "data/npz.h"
#include "report/progress.h"
#include "report/run_page.h"
#include "run/train/runs.h"

#include <fmt/format.h>

namespace lopt {

void run_all(InnerTraining& training, const std::function<void()>& after) {
  int steps = 10;
  for (bool more = true; more && !stop_wanted();) {
    const auto start = std::chrono::steady_clock::now();
    more = training.advance(steps);
    if (seconds_since(start) < 0.05) steps = std::min(2 * steps, 1000);  // short enough for the bar and for Ctrl-C
    if (after) after();
  }
}

namespace {

std::string split_name(Split split) { return split == Split::test ? "test" : "train"; }

std::string run_label(const Experiment& experiment, std::size_t run) {
  if (experiment.kind == Experiment::Kind::inner_training) return "training loss";
  return experiment.theta_seeds.empty() ? "given θ" : fmt::format("θ from seed {}", experiment.theta_seeds[run]);
}

/// "loss"; where there are several runs, "loss_0".
std::string key_of(const std::string& name, std::size_t run, std::size_t runs) {
  return runs == 1 ? name : fmt::format("{}_{}", name, run);
}

/// What was measured until now, for the page.
RunRecord record_of(const InnerTraining& training) {
  RunRecord record;
  for (int step = 0; step < training.steps_done(); ++step) {
    Json line{{"step", step}};
    for (std::size_t i = 0; i < training.losses().size(); ++i)
      line[key_of("loss", i, training.losses().size())] = training.losses()[i][static_cast<std::size_t>(step)];
    record.add(line);
  }
  return record;
}

void train(Session& session, InnerTraining& training) {
  const Experiment& experiment = session.experiment();
  const std::size_t runs = training.losses().size();
  session.say(fmt::format("Training '{}': {} steps{}.", experiment.name, experiment.steps,
                          runs > 1 ? fmt::format(", {} runs", runs) : ""));
  Progress progress("loss", experiment.steps, session.quiet(), training.steps_done());
  int kept = training.steps_done();
  run_all(training, [&] {
    double sum = 0;
    for (const auto& run : training.losses()) sum += static_cast<double>(run.back());
    progress.update(training.steps_done(), sum / static_cast<double>(runs));
    if (session.page_is_due())
      session.write_page(record_of(training),
                         fmt::format("The training goes on: {} of {} steps.", training.steps_done(), experiment.steps));
    const CheckpointRules& rules = experiment.checkpoint_rules;
    const bool due = rules.every_steps > 0 ? training.steps_done() - kept >= rules.every_steps
                                           : session.agree() == Session::Wish::checkpoint;
    if (!due) return;
    session.keep(training.steps_done(), training.checkpoint());
    kept = training.steps_done();
  });
  session.keep(training.steps_done(), training.checkpoint());
}

/// A line for each step; where a step is the last before a measurement, what was measured stands in its line.
std::string metrics_lines(const InnerTraining& training, const std::string& split) {
  const std::size_t runs = training.losses().size();
  std::string lines;
  auto measured = training.measurements().begin();
  for (int step = 0; step < training.steps_done(); ++step) {
    Json line{{"step", step}};
    for (std::size_t i = 0; i < runs; ++i)
      line[key_of("loss", i, runs)] = training.losses()[i][static_cast<std::size_t>(step)];
    for (; measured != training.measurements().end() && measured->steps == step + 1; ++measured) {
      line[key_of(split + "_loss", measured->run, runs)] = measured->evaluation.loss;
      for (const auto& [name, value] : measured->evaluation.metrics)
        line[key_of(split + "_" + name, measured->run, runs)] = value;
    }
    lines += to_text(line) + "\n";
  }
  return lines;
}

/// What was measured of a run, as curves: the loss, then each metric.
std::vector<Curve> measured_curves(Session& session, const InnerTraining& training, std::size_t run) {
  const MeasureRules& rules = session.experiment().measure;
  const std::string split = split_name(rules.split),
                    label = training.losses().size() > 1 ? ", " + run_label(session.experiment(), run) : "";
  std::vector<Curve> curves;
  for (const auto& [steps, of, evaluation] : training.measurements()) {
    if (of != run) continue;
    if (curves.empty()) {
      curves.push_back({fmt::format("{} loss{}", split, label), {}, steps - 1, rules.every_steps});
      for (const auto& [name, value] : evaluation.metrics)
        curves.push_back({fmt::format("{} {}{}", split, name, label), {}, steps - 1, rules.every_steps});
    }
    curves[0].values.push_back(static_cast<float>(evaluation.loss));
    for (std::size_t i = 0; i < evaluation.metrics.size(); ++i)
      curves[i + 1].values.push_back(static_cast<float>(evaluation.metrics[i].second));
  }
  return curves;
}

void report(Session& session, const InnerTraining& training) {
  const std::size_t runs = training.losses().size();
  const auto& losses = training.losses();
  session.folder().begin_metrics();
  session.folder().metrics().add(metrics_lines(training, split_name(session.experiment().measure.split)));
  session.record = read_record(session.folder().path());
  std::vector<std::pair<std::string, Array>> params;
  Json json = Json::array(), sentences = Json::array();
  for (std::size_t i = 0; i < runs; ++i) {
    const std::string label = run_label(session.experiment(), i);
    const std::optional<Evaluation> test = training.test(i);
    session.curves.push_back({label, losses[i]});
    const std::vector<Curve> measured = measured_curves(session, training, i);
    if (!measured.empty()) {
      session.curves.push_back(measured[0]);
      session.metric_curves.insert(session.metric_curves.end(), measured.begin() + 1, measured.end());
    }
    json.push_back({{"run", label},
                    {"loss_first_20", mean_first(losses[i])},
                    {"loss_last_20", mean_last(losses[i])},
                    {"test_loss", test ? Json(test->loss) : nullptr},
                    {"diverged", has_diverged(losses[i])}});
    if (test && !test->metrics.empty()) json.back()["test_metrics"] = metrics_json(test->metrics);
    const std::string words =
        fmt::format("training loss {:.4f} → {:.4f}{}{}", mean_first(losses[i]), mean_last(losses[i]),
                    test ? fmt::format(", test loss {:.4f}{}", test->loss, metrics_text(test->metrics)) : "",
                    has_diverged(losses[i]) ? "   diverged" : "");
    session.say(fmt::format("  {:<14} {}", label, words));
    sentences.push_back(runs == 1 ? fmt::format("{}.", words) : fmt::format("{}: {}.", label, words));
    const Values tree = training.params(i);
    const std::vector<std::string> names = tree.paths();
    for (std::size_t k = 0; k < names.size(); ++k)
      params.emplace_back(runs == 1 ? names[k] : fmt::format("{}/{}", i, names[k]), tree.leaves()[k]);
  }
  write_npz(session.folder().file("params.npz"), params);
  session.summary["steps"] = training.steps_done();
  session.summary["runs"] = json;
  session.summary["verdict"] = sentences;
}

}  // namespace

int run_inner_training(Session& session, const Checkpoint* from) {
  if (session.ranks())
    throw UsageError("an inner training runs in one process; call lopt-run without mpirun, or with one rank");
  const auto training = make_inner_training(session.experiment(), session.threads());
  if (from)
    training->restore(*from);
  else
    session.begin();
  try {
    train(session, *training);
  } catch (...) {
    if (training->steps_done() == 0) session.folder().discard();
    throw;
  }
  session.tracer().finish(*training);
  report(session, *training);
  return session.finish(false, training->steps_done());
}

}  // namespace lopt
