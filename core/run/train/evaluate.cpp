// lopt-run evaluate: optimizers against optimizers on tasks.
#include "estimate/allowance.h"
#include "report/evaluation_report.h"
#include "report/progress.h"
#include "report/provenance.h"
#include "report/run_page.h"
#include "run/session/session.h"
#include "spec/compose.h"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <map>

namespace lopt {
namespace {

namespace po = boost::program_options;

constexpr const char* kind = "evaluation";

/// "deep tanh" as a part of a file's name.
std::string as_file_name(std::string name) {
  for (char& c : name)
    if (!std::isalnum(static_cast<unsigned char>(c)) && c != '-' && c != '_') c = '_';
  return name;
}

class EvaluationRun {
 public:
  EvaluationRun(const Options& options, Evaluated evaluated, RunFolder folder)
      : options_(options),
        evaluated_(std::move(evaluated)),
        folder_(std::move(folder)),
        threads_(options.threads ? options.threads : allowed_threads().threads) {}

  int run() {
    auto [rows, bytes] = read_rows(folder_.file("metrics.jsonl"));
    rows_ = std::move(rows);
    folder_.begin_metrics(bytes);
    Progress progress("mean loss", parts(), options_.quiet, static_cast<int>(rows_.size()));
    int done = 0;
    for (const std::int64_t steps : evaluated_.steps)
      for (const NamedFamily& problem : evaluated_.problems)
        for (std::size_t i = 0; i < evaluated_.contenders.size(); ++i) {
          const Evaluated::Contender& contender = evaluated_.contenders[i];
          const bool is_known = has(problem.label, contender.label, steps);
          if (!is_known && !add(problem, i, steps)) return stopped();
          ++done;
          if (!is_known) progress.update(done, loss_of_last(), fmt::format("{}: {}", problem.label, contender.label));
        }
    return report();
  }

 private:
  int parts() const {
    return static_cast<int>(evaluated_.steps.size() * evaluated_.problems.size() * evaluated_.contenders.size());
  }
  bool has(const std::string& task, const std::string& optimizer, std::int64_t steps) const {
    return std::any_of(rows_.begin(), rows_.end(), [&](const EvaluationRow& row) {
      return row.task == task && row.optimizer == optimizer && row.steps == steps;
    });
  }
  double loss_of_last() const {
    const std::vector<float>& curve = rows_.back().score.curve;
    double sum = 0;
    for (const float loss : curve) sum += static_cast<double>(loss);
    return sum / static_cast<double>(curve.size());
  }

  /// Times of all contenders on a task, which are measured when the first of them is wanted.
  const std::vector<double>& seconds_on(const NamedFamily& problem) {
    std::vector<double>& seconds = seconds_[problem.label];
    if (seconds.empty()) seconds = seconds_a_step(evaluated_, problem);
    return seconds;
  }

  bool add(const NamedFamily& problem, std::size_t index, std::int64_t steps) {
    const Evaluated::Contender& contender = evaluated_.contenders[index];
    std::optional<Score> score = score_of(evaluated_, problem, contender, steps, threads_, stop_wanted);
    if (!score) return false;
    score->seconds_a_step = seconds_on(problem)[index];
    rows_.push_back({problem.label, contender.label, contender.settings, steps, contender.horizon, *score});
    folder_.metrics().add(to_text(to_json(rows_.back())) + "\n");
    return true;
  }

  int stopped() const {
    if (!options_.quiet)
      fmt::print("\nStopped after {} of {} parts; `lopt-run resume {}` goes on.\n", rows_.size(), parts(),
                 folder_.path());
    return interrupted;
  }

  int report() {
    const auto tuned = std::find_if(evaluated_.contenders.begin(), evaluated_.contenders.end(),
                                    [](const Evaluated::Contender& c) { return c.tuned != nullptr; });
    const EvaluationReport report(
        rows_, (tuned == evaluated_.contenders.end() ? evaluated_.contenders.front() : *tuned).label);
    folder_.write_json("evaluation.json", report.json());
    folder_.write("evaluation.csv", report.csv());
    folder_.write("evaluation.txt", report.text());
    std::filesystem::create_directories(folder_.file("curves"));
    for (const auto& [task, steps] : report.groups())
      folder_.write(fmt::format("curves/{}-{}.svg", as_file_name(task), steps), report.curves(task, steps));
    folder_.write("report.html", run_page(folder_.path(), {}));
    if (!options_.quiet)
      fmt::print("{}\n{}  (report.html, evaluation.json, evaluation.csv, evaluation.txt, curves/)\n", report.text(),
                 folder_.path());
    return success;
  }

  const Options& options_;
  Evaluated evaluated_;
  RunFolder folder_;
  int threads_;
  std::vector<EvaluationRow> rows_;
  std::map<std::string, std::vector<double>> seconds_;  // of a step, by task: of each contender
};

Evaluated evaluated_of(const Options& o, Registry& registry) {
  const SpecNode spec = ready_spec(o, registry);
  Evaluated evaluated = load_evaluation(spec, registry);
  if (const SpecNode* paths = spec.find("plugin_path")) evaluated.resolved.set("plugin_path", *paths);
  return evaluated;
}

}  // namespace

bool is_evaluation(const std::string& run_folder) {
  return object_in_file(run_folder + "/run.json").value("kind", "") == kind;
}

int resume_evaluation(Options o) {
  const std::string folder = o.spec;
  o.spec = folder + "/spec.yaml";
  Registry registry;
  Evaluated evaluated = evaluated_of(o, registry);
  hear_signals();
  return EvaluationRun(o, std::move(evaluated), RunFolder::open(folder)).run();
}

int run_evaluate(int argc, char** argv) {
  Options o;
  po::options_description description = spec_options(o);
  description.add_options()("out", po::value(&o.out), "folder to write (default: runs/DATE-NAME); never overwritten");
  add_worker_options(description, o);
  const std::string usage = "lopt-run evaluate SPEC [key.path=value …] [options]";
  if (!parse_spec_call(
          argc, argv, description, o, usage,
          "Trains tasks by optimizers, each from the same seeds, and says which is better, by how much, and where it "
          "is not. A spec has `tasks` (tasks or families), `optimizers` (any; {tuned: adam} finds its rate for each "
          "task and length on problems that are not counted), `steps` (a list) and `seeds` (how many). Problems are "
          "none that a meta-training has seen. lopt-run resume FOLDER goes on with one that was stopped."))
    return success;
  Registry registry;
  Evaluated evaluated = evaluated_of(o, registry);
  hear_signals();
  RunFolder folder = RunFolder::make(o.out, evaluated.name);
  folder.write("spec.yaml", to_yaml(evaluated.resolved));
  folder.write_json(
      "run.json",
      {{"kind", kind}, {"name", evaluated.name}, {"lopt", LOPT_VERSION}, {"plugins", plugins_json(registry)}});
  return EvaluationRun(o, std::move(evaluated), std::move(folder)).run();
}

}  // namespace lopt
