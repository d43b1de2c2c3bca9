// lopt-run train: runs a spec and writes its folder.
#include "data/npz.h"
#include "kernels/kernels.h"
#include "learn/training.h"
#include "report/curves.h"
#include "report/progress.h"
#include "report/provenance.h"
#include "report/run_folder.h"
#include "run/command_line.h"
#include "run/tracer.h"

#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <csignal>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <thread>

namespace lopt {
namespace {

volatile std::sig_atomic_t received_signal = 0;
void on_signal(int signal) { received_signal = signal; }
bool stop_wanted() { return received_signal != 0; }

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double mean_of(std::span<const float> values) {
  return values.empty() ? std::nan("")
                        : std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}
/// The mean of the first or last 20 values, or of fewer where there are fewer.
double mean_first(const std::vector<float>& values) {
  return mean_of(std::span(values).first(std::min<std::size_t>(20, values.size())));
}
double mean_last(const std::vector<float>& values) {
  return mean_of(std::span(values).last(std::min<std::size_t>(20, values.size())));
}
bool has_diverged(const std::vector<float>& losses) {
  return losses.empty() || !std::isfinite(losses.back()) || losses.back() > 2 * losses.front();
}

std::string processor_name() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);)
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  return "unknown";
}

/// A spec being run.
class TrainRun {
 public:
  TrainRun(const Options& options, Experiment experiment, const Registry& registry, int threads)
      : options_(options),
        experiment_(std::move(experiment)),
        registry_(registry),
        threads_(threads),
        tracer_(!options.trace.empty()),
        begun_(std::chrono::steady_clock::now()) {}

  int run() {
    // Everything that can be wrong with the spec, plugins and data shows before a folder is made.
    if (experiment_.kind == Experiment::Kind::meta_training)
      meta_ = std::make_unique<MetaTraining>(experiment_, threads_);
    else
      inner_ = make_inner_training(experiment_, threads_);
    warn_of_changed_plugins();
    folder_ = std::make_unique<RunFolder>(options_.out, experiment_.name);
    try {
      folder_->write("spec.yaml", to_yaml(experiment_.resolved));
      folder_->write_json("run.json", description());
    } catch (...) {
      folder_->discard();
      throw;
    }
    try {
      if (meta_)
        meta_train();
      else
        inner_train();
    } catch (...) {
      if (!folder_->has_metrics()) folder_->discard();
      throw;
    }
    if (!options_.trace.empty()) tracer_.write(options_.trace);
    finish();
    return received_signal == SIGINT ? interrupted : received_signal == SIGTERM ? terminated : success;
  }

 private:
  nlohmann::ordered_json description() const {
    nlohmann::ordered_json json;
    json["lopt"] = LOPT_VERSION;
    json["name"] = experiment_.name;
    json["spec"] = options_.spec;
    json["overrides"] = options_.overrides;
    json["seed"] = experiment_.seed;
    json["threads"] = threads_;
    json["processor"] = processor_name();
    json["simd"] = kernels::table().simd;
    const std::time_t now = std::time(nullptr);
    char date[32];
    std::strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", std::gmtime(&now));
    json["started"] = date;
    json["plugins"] = plugins_json(registry_);
    return json;
  }

  /// Where the spec lies in the folder of an earlier run, this is a rerun: other plugins may give other numbers.
  void warn_of_changed_plugins() const {
    const std::string file = (std::filesystem::path(options_.spec).parent_path() / "run.json").string();
    std::ifstream earlier(file);
    if (!earlier) return;
    for (const std::string& sentence :
         changed_plugins(nlohmann::ordered_json::parse(earlier, nullptr, false), registry_))
      fmt::print(stderr, "lopt-run: {}: {}\n", file, sentence);
  }

  void say(const std::string& text) const {
    if (!options_.quiet) {
      fmt::print("{}\n", text);
      std::fflush(stdout);
    }
  }

  void meta_train() {
    say(fmt::format("Meta-training '{}': {} steps, θ has {} weights.", experiment_.name, experiment_.steps,
                    weights_of(meta_->theta())));
    tracer_.start(*meta_);
    std::vector<float> losses;
    int skipped = 0;
    {
      Progress progress("meta-loss", experiment_.steps, options_.quiet);
      while (meta_->steps_done() < experiment_.steps && !stop_wanted()) {
        const auto start = std::chrono::steady_clock::now();
        const MetaStep step = meta_->step();
        losses.push_back(step.loss);
        skipped += step.skipped;
        tracer_.add(step);
        folder_->add_metrics({{"step", step.step},
                              {"meta_loss", step.loss},
                              {"gradient_norm", step.gradient_norm},
                              {"seconds", seconds_since(start)},
                              {"skipped", step.skipped}});
        progress.update(step.step + 1, static_cast<double>(step.loss),
                        skipped ? fmt::format("{} skipped", skipped) : "");
      }
    }
    tracer_.finish(*meta_);
    write_npz(folder_->file("theta.npz"), meta_->theta());
    curves_.push_back({"meta-loss", losses});
    summary_["meta_steps"] = losses.size();
    summary_["meta_loss_first_20"] = mean_first(losses);
    summary_["meta_loss_last_20"] = mean_last(losses);
    summary_["skipped_steps"] = skipped;
    say(fmt::format("\nMeta-loss: {:.3f} → {:.3f} (means of the first and last {} of {} meta-steps, {}).",
                    mean_first(losses), mean_last(losses), std::min<std::size_t>(20, losses.size()), losses.size(),
                    duration_text(seconds_since(begun_))));
    if (skipped) say(fmt::format("{} steps were skipped: their meta-gradient was not finite.", skipped));
    if (!stop_wanted()) apply_theta();
  }

  static std::size_t weights_of(const Values& theta) {
    std::size_t count = 0;
    for (const Array& leaf : theta.leaves()) count += leaf.size();
    return count;
  }

  struct AppliedRow {
    std::string label;
    double last;
    std::optional<double> test;
    std::size_t diverged;
  };

  /// Runs to the end, or until a signal comes.
  static void run_all(InnerTraining& training, Progress* progress = nullptr) {
    int steps = 10;
    for (bool more = true; more && !stop_wanted();) {
      const auto start = std::chrono::steady_clock::now();
      more = training.advance(steps);
      if (seconds_since(start) < 0.05) steps = std::min(2 * steps, 1000);  // short enough for the bar and for Ctrl-C
      std::vector<float> last;
      for (const auto& run : training.losses()) last.push_back(run.back());
      if (progress) progress->update(training.steps_done(), mean_of(last));
    }
  }

  AppliedRow applied_row(const std::string& label, InnerTraining& training) {
    AppliedRow row{label, 0, 0.0, 0};
    std::vector<float> mean(static_cast<std::size_t>(training.steps_done()), 0.0F);
    const std::size_t runs = training.losses().size();
    for (std::size_t i = 0; i < runs; ++i) {
      const std::vector<float>& losses = training.losses()[i];
      for (std::size_t k = 0; k < losses.size(); ++k) mean[k] += losses[k] / static_cast<float>(runs);
      row.diverged += has_diverged(losses);
      row.last += mean_of(std::span(losses).last(std::min<std::size_t>(10, losses.size()))) / static_cast<double>(runs);
      const std::optional<float> test = training.test_loss(i);
      if (test && row.test)
        *row.test += static_cast<double>(*test) / static_cast<double>(runs);
      else
        row.test.reset();
    }
    applied_curves_.push_back({label, mean});
    return row;
  }

  void apply_theta() {
    if (!experiment_.application) return;
    std::vector<AppliedRow> rows;
    auto learned = make_application(experiment_, meta_->theta(), threads_);
    run_all(*learned);
    rows.push_back(applied_row("learned optimizer", *learned));
    for (const Comparison& comparison : experiment_.comparisons) {
      auto training = make_comparison(experiment_, comparison, threads_);
      run_all(*training);
      rows.push_back(applied_row(comparison.label, *training));
    }
    std::string text = fmt::format(
        "\nTried on {} fresh problems, {} steps each: mean training loss of the last 10 steps{}\n",
        experiment_.application->seeds.size(), experiment_.application->steps, rows[0].test ? ", and test loss" : "");
    nlohmann::ordered_json json = nlohmann::ordered_json::array();
    for (const AppliedRow& row : rows) {
      text += fmt::format("  {:<20} {:.3f}", row.label, row.last);
      if (row.test) text += fmt::format("   {:.3f}", *row.test);
      if (row.diverged)
        text += fmt::format("   ({} of {} diverged)", row.diverged, experiment_.application->seeds.size());
      text += "\n";
      json.push_back({{"optimizer", row.label},
                      {"loss_last_10", row.last},
                      {"test_loss", row.test ? nlohmann::ordered_json(*row.test) : nullptr},
                      {"diverged", row.diverged}});
    }
    say(text);
    summary_["applied"] = json;
  }

  void inner_train() {
    const std::size_t runs = inner_->losses().size();
    say(fmt::format("Training '{}': {} steps{}.", experiment_.name, experiment_.steps,
                    runs > 1 ? fmt::format(", {} runs", runs) : ""));
    {
      Progress progress("loss", experiment_.steps, options_.quiet);
      run_all(*inner_, &progress);
    }
    tracer_.finish(*inner_);
    const auto& losses = inner_->losses();
    std::string metrics;
    for (int step = 0; step < inner_->steps_done(); ++step) {
      nlohmann::ordered_json line{{"step", step}};
      for (std::size_t i = 0; i < runs; ++i)
        line[runs == 1 ? "loss" : fmt::format("loss_{}", i)] = losses[i][static_cast<std::size_t>(step)];
      metrics += line.dump() + "\n";
    }
    folder_->write("metrics.jsonl", metrics);
    std::vector<std::pair<std::string, Array>> params;
    nlohmann::ordered_json json = nlohmann::ordered_json::array();
    for (std::size_t i = 0; i < runs; ++i) {
      const std::string label = run_label(i);
      const std::optional<float> test = inner_->test_loss(i);
      curves_.push_back({label, losses[i]});
      json.push_back({{"run", label},
                      {"loss_first_20", mean_first(losses[i])},
                      {"loss_last_20", mean_last(losses[i])},
                      {"test_loss", test ? nlohmann::ordered_json(*test) : nullptr},
                      {"diverged", has_diverged(losses[i])}});
      say(fmt::format("  {:<14} training loss {:.4f} → {:.4f}{}{}", label, mean_first(losses[i]), mean_last(losses[i]),
                      test ? fmt::format(", test loss {:.4f}", *test) : "",
                      has_diverged(losses[i]) ? "   diverged" : ""));
      const Values tree = inner_->params(i);
      const std::vector<std::string> names = tree.paths();
      for (std::size_t k = 0; k < names.size(); ++k)
        params.emplace_back(runs == 1 ? names[k] : fmt::format("{}/{}", i, names[k]), tree.leaves()[k]);
    }
    write_npz(folder_->file("params.npz"), params);
    summary_["steps"] = inner_->steps_done();
    summary_["runs"] = json;
  }

  std::string run_label(std::size_t i) const {
    if (experiment_.kind == Experiment::Kind::inner_training) return "training loss";
    return experiment_.theta_seeds.empty() ? "given θ" : fmt::format("θ from seed {}", experiment_.theta_seeds[i]);
  }

  void finish() {
    summary_["interrupted"] = stop_wanted();
    summary_["seconds"] = seconds_since(begun_);
    folder_->write_json("summary.json", summary_);
    if (meta_)
      folder_->write("curves.svg", curves_svg(experiment_.name, "meta-step", "meta-loss (nats)", curves_));
    else
      folder_->write("curves.svg", curves_svg(experiment_.name, "inner step", "training loss (nats)", curves_));
    if (!applied_curves_.empty())
      folder_->write("applied.svg", curves_svg(experiment_.name + ": the trained optimizer", "inner step",
                                               "training loss (nats)", applied_curves_));
    if (stop_wanted())
      say(fmt::format("Stopped after {} steps; what is done so far is kept.",
                      meta_ ? meta_->steps_done() : inner_->steps_done()));
    say(fmt::format("The run's folder: {}  (curves.svg, metrics.jsonl, summary.json{})", folder_->path(),
                    meta_ ? ", theta.npz" : ", params.npz"));
    if (meta_ && !stop_wanted())
      say(fmt::format("Next: lopt-run train {} steps={} trains it longer; lopt-run describe NAME explains a plugin.",
                      options_.spec, 2 * experiment_.steps));
  }

  const Options& options_;
  Experiment experiment_;
  const Registry& registry_;
  int threads_;
  std::unique_ptr<MetaTraining> meta_;
  std::unique_ptr<InnerTraining> inner_;
  std::unique_ptr<RunFolder> folder_;
  Tracer tracer_;
  std::vector<Curve> curves_, applied_curves_;
  nlohmann::ordered_json summary_;
  std::chrono::steady_clock::time_point begun_;
};

}  // namespace

int run_train(int argc, char** argv) {
  namespace po = boost::program_options;
  Options o;
  po::options_description description;
  description.add_options()("out", po::value(&o.out), "folder of the run (default: runs/DATE-NAME); never overwritten")(
      "trace", po::value(&o.trace), "npz file for the gradient and θ of every step")(
      "threads", po::value(&o.threads), "worker threads (default: one a processor)")("seed", po::value(&o.seed),
                                                                                     "the same as seed=…")(
      "data", po::value(&o.data), "folder with IDX files (MNIST, Fashion-MNIST) to use as the dataset")(
      "plugin-path", po::value(&o.plugin_paths), "folder or file with plugins; may be given more than once")(
      "quiet,q", po::bool_switch(&o.quiet), "print nothing but errors");
  const std::string usage = "lopt-run train SPEC [key.path=value …] [options]";
  const auto values = options::parse(
      argc, argv, description, usage,
      "Runs the experiment of a spec: an inner training (optimizer), a trial of θ (learned_optimizer) or a "
      "meta-training (with\n"
      "estimator). key.path=value replaces a value of the spec, as in estimator.std=0.02; the value is YAML, null "
      "removes it.\n"
      "Specs to begin with are in configs/. LOPT_TRAIN_LENGTH=n in the environment makes every loop n steps long;\n"
      "LOPT_SIMD=AVX2 (or SSE4, AVX3) forces a SIMD level.");
  if (!values) return success;
  if (values->count("threads") && (o.threads < 1 || o.threads > 1024))
    throw UsageError("--threads must be between 1 and 1024");
  take_positional(*values, o, usage);
  Registry registry;
  Experiment experiment = experiment_of(o, registry);
  std::signal(SIGINT, on_signal);
  std::signal(SIGTERM, on_signal);
  return TrainRun(o, std::move(experiment), registry,
                  o.threads ? o.threads : static_cast<int>(std::max(1U, std::thread::hardware_concurrency())))
      .run();
}

}  // namespace lopt
