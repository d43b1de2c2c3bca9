// lopt-run reproduce: a paper's experiment, from its runs to its figure and to whether its claim holds here.
#include "estimate/allowance.h"
#include "learn/estimator_comparison.h"
#include "learn/loss_surface.h"
#include "learn/theta_file.h"
#include "report/estimator_report.h"
#include "report/evaluation_row.h"
#include "report/paper_report.h"
#include "run/train/child_runs.h"
#include "run/session/session.h"
#include "spec/compose.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

namespace lopt {
namespace {

namespace po = boost::program_options;
constexpr const char* paper_kind = "paper";

class Reproduction {
 public:
  Reproduction(Options options, PaperSpec spec, RunFolder folder)
      : options_(std::move(options)),
        spec_(std::move(spec)),
        folder_(std::move(folder)),
        threads_(options_.threads ? options_.threads : allowed_threads().threads) {}

  int run() {
    for (const PaperRun& run : spec_.runs) {
      const int code = run_child(run.label, {"train", run.file});
      if (code != success) return code;
      series_[run.label] = read_series(folder_.file(run.label));
      numbers_[run.label] = last_numbers(series_[run.label]);
      const Json summary = object_in_file(folder_.file(run.label) + "/summary.json");
      if (summary.contains("applied") && !summary["applied"].empty() && summary["applied"][0]["mean_loss"].is_number())
        numbers_[run.label]["applied"] = summary["applied"][0]["mean_loss"].get<double>();
    }
    if (!spec_.worth.empty()) find_worth();
    for (const PaperFigure& figure : spec_.figures) {
      const int code = add(figure);
      if (code != success) return code;
    }
    return report();
  }

 private:
  void say(const std::string& text) const {
    if (options_.quiet) return;
    fmt::print("{}\n", text);
    std::fflush(stdout);
  }

  /// A run of its own in a folder of its own, begun or gone on with, unless it came to its end before: LABEL.json says.
  int run_child(const std::string& label, std::vector<std::string> words) {
    const std::string path = folder_.file(label);
    if (object_in_file(path + ".json").value("ended", false)) return success;
    say(fmt::format("{} …", label));
    if (std::filesystem::exists(path + "/run.json")) {
      words = {"resume", path, "--quiet"};
    } else {
      words.insert(words.end(), options_.overrides.begin(), options_.overrides.end());
      words.insert(words.end(), {"--quiet", "--out", path});
    }
    words.insert(words.end(), {"--threads", std::to_string(threads_)});
    for (const std::string& plugin_path : options_.plugin_paths)
      words.insert(words.end(), {"--plugin-path", plugin_path});
    const std::string log = path + ".log";
    const EndedRun ended = wait_for_run({start_run(words, log)});
    if (stop_wanted() || ended.code == interrupted) return stopped();
    if (ended.code == success) {
      folder_.write_json(label + ".json", {{"ended", true}});
      return success;
    }
    fmt::print(stderr, "lopt-run: {} failed: {}\n", label, last_sentence(log));
    return ended.code > 0 && ended.code < interrupted ? ended.code : failed;
  }

  int stopped() const {
    say(fmt::format("Stopped; `lopt-run resume {}` goes on.", folder_.path()));
    return interrupted;
  }

  static Figure drawn(const PaperFigure& figure) {
    Figure result{.title = figure.title, .x = figure.x_label, .y = figure.y_label};
    result.log_x = figure.log_x;
    result.log_y = figure.log_y;
    result.y_marks = figure.marks;
    return result;
  }
  std::vector<std::string> labels_of(const PaperFigure& figure) const {
    if (!figure.runs.empty()) return figure.runs;
    std::vector<std::string> all;
    for (const PaperRun& run : spec_.runs) all.push_back(run.label);
    return all;
  }

  int add(const PaperFigure& figure) {
    try {
      switch (figure.kind) {
        case PaperFigure::Kind::curves: add_curves(figure); return success;
        case PaperFigure::Kind::surface: add_surface(figure); return success;
        case PaperFigure::Kind::estimators: add_estimators(figure); return success;
        case PaperFigure::Kind::evaluation: return add_evaluation(figure);
      }
    } catch (const Interrupted&) {
      return stopped();
    }
    return success;
  }

  void add_curves(const PaperFigure& figure) {
    Figure result = drawn(figure);
    if (result.x.empty()) result.x = figure.by == "seconds" ? "seconds" : "meta-step";
    if (result.y.empty()) result.y = figure.what;
    for (const std::string& label : labels_of(figure))
      result.curves.push_back(curve_of(series_.at(label), label, figure.what, figure.by));
    figures_.push_back(std::move(result));
  }

  SpecNode spec_of(const std::string& file, Registry& registry) const {
    Options o = options_;
    o.spec = file;
    return ready_spec(o, registry);
  }

  /// The loss of whole problems at each run's last θ, and at that all began from.
  void find_worth() {
    say("what each θ is worth …");
    Registry registry;
    const SpecNode spec = spec_of(spec_.worth, registry);
    const Experiment experiment = load_experiment(spec, registry);
    const LossSurface surface(experiment, threads_, static_cast<int>(spec_.worth_problems));
    numbers_["start"]["loss"] = surface.losses({surface.theta()})[0];
    for (const PaperRun& run : spec_.runs)
      numbers_[run.label]["loss"] =
          surface.losses({read_theta(*experiment.learned_optimizer, folder_.file(run.label) + "/theta.npz")})[0];
  }

  /// The surface, and each run's way over it.
  void add_surface(const PaperFigure& figure) {
    say(figure.title + " …");
    Registry registry;
    const SpecNode spec = spec_of(figure.spec, registry);
    const Experiment experiment = load_experiment(spec, registry);
    LossSurface surface(experiment, threads_, static_cast<int>(figure.problems));
    surface.set_interrupt(stop_wanted);
    const WeightPlace across = weight_place(surface.theta(), figure.across),
                      up = weight_place(surface.theta(), figure.up);
    const auto theta_at = [&](double x, double y) {
      std::vector<Array> leaves = surface.theta().leaves();
      leaves[across.leaf].mutable_values<float>()[across.element] = static_cast<float>(x);
      leaves[up.leaf].mutable_values<float>()[up.element] = static_cast<float>(y);
      return surface.theta().with_leaves<Array>(leaves);
    };
    Figure result = drawn(figure);
    if (result.x.empty()) result.x = figure.across;
    if (result.y.empty()) result.y = figure.up;
    result.surface = FigureSurface{figure.across_range[0],
                                   figure.across_range[1],
                                   figure.up_range[0],
                                   figure.up_range[1],
                                   static_cast<std::size_t>(figure.cells),
                                   {},
                                   "mean loss"};
    double least = std::numeric_limits<double>::infinity();
    const auto middle = [&](const std::vector<double>& range, std::int64_t cell) {
      return range[0] + (range[1] - range[0]) * (static_cast<double>(cell) + 0.5) / static_cast<double>(figure.cells);
    };
    for (std::int64_t row = 0; row < figure.cells; ++row) {
      if (stop_wanted()) throw Interrupted();
      std::vector<Values> thetas;
      for (std::int64_t column = 0; column < figure.cells; ++column)
        thetas.push_back(theta_at(middle(figure.across_range, column), middle(figure.up_range, row)));
      for (const double loss : surface.losses(thetas)) {
        least = std::min(least, std::isfinite(loss) ? loss : least);
        result.surface->values.push_back(std::isfinite(loss) ? std::min(loss, figure.largest) : figure.largest);
      }
    }
    numbers_["surface"]["loss"] = least;
    for (const std::string& label : labels_of(figure)) {
      const PaperSeries& series = series_.at(label);
      FigureCurve way = curve_of(series, label, "theta." + figure.up, "steps");
      way.x = curve_of(series, label, "theta." + figure.across, "steps").y;
      result.curves.push_back(std::move(way));
    }
    figures_.push_back(std::move(result));
  }

  void add_estimators(const PaperFigure& figure) {
    Registry registry;
    SpecNode spec = spec_of(figure.spec, registry);
    std::vector<ComparedEstimator> compared;
    const std::vector<ComparedEstimator> usual = usual_estimators(spec, registry);
    compared.push_back(usual.front());
    for (const std::string& text : figure.estimators) {
      const auto known =
          std::find_if(usual.begin(), usual.end(), [&](const ComparedEstimator& one) { return one.label == text; });
      if (known == usual.begin()) continue;
      SpecNode node = parse_spec(text, "estimators");
      if (node.kind == SpecNode::Kind::scalar) node = SpecNode::mapping({{"plugin", node}});
      compared.push_back(known != usual.end() ? *known : ComparedEstimator{text, node});
    }
    const EstimatorComparison comparison =
        compare_estimators(spec, registry, compared, figure.lengths, figure.seconds, threads_, stop_wanted,
                           [&](const std::string& what) { say(what + " …"); });
    for (const EstimatorMeasure& measure : comparison.measures) {
      if (!measure.refused.empty()) continue;
      numbers_[measure.label][fmt::format("bias@{}", measure.length)] = measure.bias.value;
      numbers_[measure.label][fmt::format("noise@{}", measure.length)] = measure.noise.value;
    }
    const std::vector<Figure> both = EstimatorReport(comparison).figures();
    Figure result = both[both.size() > 1 && figure.shown == "noise" ? 1 : 0];
    result.title = figure.title;
    if (!figure.y_label.empty()) result.y = figure.y_label;
    if (figure.crossing.size() == 2) mark_crossing(figure, result);
    figures_.push_back(std::move(result));
  }

  /// The length at which the noise of the first of two estimators passes that of the second, between two that were
  /// measured, on logarithmic axes.
  void mark_crossing(const PaperFigure& figure, Figure& result) {
    const auto noise = [&](std::size_t which, std::int64_t length) {
      const auto& of_label = numbers_[figure.crossing[which]];
      const auto found = of_label.find(fmt::format("noise@{}", length));
      return found == of_label.end() ? std::nan("") : std::log(found->second);
    };
    for (std::size_t i = 1; i < figure.lengths.size(); ++i) {
      const std::int64_t before = figure.lengths[i - 1], after = figure.lengths[i];
      const double first = noise(0, before) - noise(1, before), second = noise(0, after) - noise(1, after);
      if (!(first <= 0) || !(second > 0 || std::isnan(second))) continue;
      const double share = std::isfinite(second) ? -first / (second - first) : 1;
      const double length =
          std::exp(std::log(static_cast<double>(before)) * (1 - share) + std::log(static_cast<double>(after)) * share);
      numbers_["crossing, " + figure.title]["length"] = length;
      result.x_marks.emplace_back(fmt::format("from {:.0f} steps {} is less noisy", length, figure.crossing[1]),
                                  length);
      return;
    }
  }

  int add_evaluation(const PaperFigure& figure) {
    const std::string label = std::filesystem::path(figure.spec).stem().string();
    const int code = run_child(label, {"evaluate", figure.spec});
    if (code != success) return code;
    const Json report = object_in_file(folder_.file(label) + "/evaluation.json");
    for (const Json& sentence : report["verdict"]) remarks_.push_back(sentence.get<std::string>());
    const std::vector<EvaluationRow> rows = read_rows(folder_.file(label) + "/metrics.jsonl").first;
    std::map<std::string, std::vector<double>> logs;
    for (const Json& result : report["results"]) {
      const std::string optimizer = result["optimizer"];
      if (result.contains("ratio_to_best") && result["ratio_to_best"].is_number())
        logs[optimizer].push_back(std::log(result["ratio_to_best"].get<double>()));
      for (const char* share : {"share_of_steps", "share_of_time"})
        if (result.contains("to_baseline_lowest") && result["to_baseline_lowest"].is_object() &&
            result["to_baseline_lowest"][share].is_number())
          numbers_[optimizer][fmt::format("{}@{}", share, result["task"].get<std::string>())] =
              result["to_baseline_lowest"][share].get<double>();
    }
    for (const auto& [optimizer, ratios] : logs) {
      double total = 0;
      for (const double ratio : ratios) total += ratio;
      numbers_[optimizer]["ratio_to_best"] = std::exp(total / static_cast<double>(ratios.size()));
    }
    for (const bool by_time : {false, true}) {
      std::map<std::string, Figure> of_tasks;
      for (const EvaluationRow& row : rows) {
        Figure& one = of_tasks[fmt::format("{}, {} steps", row.task, row.steps)];
        FigureCurve curve{.label = row.optimizer};
        const std::vector<float> smooth =
            row.score.curve.size() >= least_to_smooth ? smoothed(row.score.curve) : row.score.curve;
        const std::size_t every = std::max<std::size_t>(1, smooth.size() / 300);
        for (std::size_t i = 0; i < smooth.size(); i += every) {
          curve.x.push_back(static_cast<double>(i + 1) * (by_time ? 1000 * row.score.seconds_a_step : 1));
          curve.y.push_back(static_cast<double>(smooth[i]));
        }
        one.curves.push_back(std::move(curve));
      }
      for (auto& [task, one] : of_tasks) {
        one.title = fmt::format("{}: {}", figure.title, task);
        one.x = by_time ? "milliseconds of one problem on one thread" : "inner step";
        one.y = "training loss";
        one.log_y = figure.log_y;
        figures_.push_back(std::move(one));
      }
    }
    return success;
  }

  int report() {
    const PaperReport report(spec_, numbers_, figures_, remarks_);
    int number = 0;
    for (const Figure& figure : report.figures())
      folder_.write(++number == 1 ? "figure.svg" : fmt::format("figure-{}.svg", number), figure_svg(figure));
    folder_.write_json("paper.json", report.json());
    folder_.write("report.html", report.page());
    say(fmt::format("\n{}\n{}  (report.html, figure.svg, paper.json)", report.text(), folder_.path()));
    return success;
  }

  Options options_;
  PaperSpec spec_;
  RunFolder folder_;
  int threads_;
  std::map<std::string, PaperSeries> series_;
  PaperNumbers numbers_;
  std::vector<Figure> figures_;
  std::vector<std::string> remarks_;
};

/// The file of an experiment: paper.yaml of a folder, or a file.
std::string paper_file(const std::string& name) {
  return std::filesystem::is_directory(name) ? name + "/paper.yaml" : name;
}

}  // namespace

bool is_paper(const std::string& run_folder) {
  return object_in_file(run_folder + "/run.json").value("kind", "") == paper_kind;
}

int resume_paper(Options o) {
  const Json run = object_in_file(o.spec + "/run.json");
  const std::string file = run.at("spec").get<std::string>(), folder = o.spec;
  for (const Json& assignment : run.at("overrides")) o.overrides.push_back(assignment.get<std::string>());
  const PaperSpec spec = load_paper(read_spec(file), std::filesystem::path(file).parent_path().string());
  hear_signals();
  return Reproduction(std::move(o), spec, RunFolder::open(folder)).run();
}

int run_reproduce(int argc, char** argv) {
  Options o;
  po::options_description description;
  description.add_options()("out", po::value(&o.out), "folder to write (default: runs/DATE-NAME); never overwritten")(
      "plugin-path", po::value(&o.plugin_paths), "folder or file with plugins; may be given more than once");
  add_worker_options(description, o);
  const std::string usage = "lopt-run reproduce FOLDER|paper.yaml [key.path=value …] [options]";
  if (!parse_spec_call(argc, argv, description, o, usage,
                       "Runs a paper's experiment: its meta-trainings, evaluations and comparisons, one after the "
                       "other, and then its figures (SVG and a page) and a sentence that says whether what the paper "
                       "claims holds here. configs/papers/ has some. Assignments are for each of the runs. lopt-run "
                       "resume FOLDER goes on with one that was stopped."))
    return success;
  const std::string file = std::filesystem::absolute(paper_file(o.spec)).lexically_normal().string();
  const PaperSpec spec = load_paper(read_spec(file), std::filesystem::path(file).parent_path().string());
  hear_signals();
  RunFolder folder = RunFolder::make(o.out, spec.name);
  folder.write("spec.yaml", to_yaml(read_spec(file)));
  folder.write_json(
      "run.json",
      {{"kind", paper_kind}, {"name", spec.name}, {"lopt", LOPT_VERSION}, {"spec", file}, {"overrides", o.overrides}});
  return Reproduction(std::move(o), spec, std::move(folder)).run();
}

}  // namespace lopt
