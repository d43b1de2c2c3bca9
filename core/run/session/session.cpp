#include "run/session/session.h"

#include "data/printable.h"
#include "kernels/kernels.h"
#include "registry/foreign.h"
#include "report/provenance.h"
#include "report/run_page.h"
#include "report/tensorboard.h"
#include "run/session/ranks.h"

#include <fmt/format.h>

#include <cmath>
#include <csignal>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <numeric>

namespace lopt {
namespace {

constexpr std::chrono::seconds least_time_between_pages{5};
/// The page may take a hundredth of the time.
constexpr int times_of_a_page = 100;

double mean_of(std::span<const float> values) {
  return values.empty() ? std::nan("")
                        : std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

std::string date_text() {
  const std::time_t now = std::time(nullptr);
  char date[32];
  std::strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", std::gmtime(&now));
  return date;
}

/// The spec without what may change between a run and its continuation.
std::string lasting_text(SpecNode spec) {
  std::erase_if(spec.entries, [](const auto& entry) { return entry.first == "steps" || entry.first == "checkpoint"; });
  return to_yaml(spec);
}

}  // namespace

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}
double mean_first(const std::vector<float>& values) {
  return mean_of(std::span(values).first(std::min<std::size_t>(20, values.size())));
}
double mean_last(const std::vector<float>& values) {
  return mean_of(std::span(values).last(std::min<std::size_t>(20, values.size())));
}
std::string metrics_text(const std::vector<std::pair<std::string, double>>& metrics) {
  std::string text;
  for (const auto& [name, value] : metrics) text += fmt::format(", {} {:.3f}", name, value);
  return text;
}
Json metrics_json(const std::vector<std::pair<std::string, double>>& metrics) {
  Json json = Json::object();
  for (const auto& [name, value] : metrics) json[name] = value;
  return json;
}

Session::Session(Options options, Experiment experiment, Registry registry, Communicator* ranks)
    : options_(std::move(options)),
      experiment_(std::move(experiment)),
      registry_(std::move(registry)),
      ranks_(ranks),
      allowance_(allowed_threads()),
      threads_(options_.threads ? options_.threads : std::max(1, allowance_.threads / ranks_on_this_machine())),
      thread_limit_(std::make_unique<tbb::global_control>(tbb::global_control::max_allowed_parallelism,
                                                          static_cast<std::size_t>(threads_))),
      tracer_(!options_.trace.empty() && writes()),
      begun_(std::chrono::steady_clock::now()),
      last_checkpoint_(begun_),
      next_page_(begun_ + least_time_between_pages) {
  if (options_.threads > allowance_.threads && writes())
    warn(fmt::format("{} threads, as --threads says; {} may run at once here ({}), so some will wait for others",
                     options_.threads, allowance_.threads, allowance_.why));
}

void Session::say(const std::string& text) const {
  if (quiet()) return;
  fmt::print("{}\n", text);
  std::fflush(stdout);
}
void Session::warn(const std::string& text) {
  std::fflush(stdout);
  fmt::print(stderr, "lopt-run: {}\n", printable(text));
}

Json Session::description() const {
  Json json;
  json["lopt"] = LOPT_VERSION;
  json["name"] = experiment_.name;
  json["spec"] = options_.spec;
  json["overrides"] = options_.overrides;
  json["seed"] = experiment_.seed;
  json["trace"] = options_.trace;
  json["threads"] = threads_;
  json["threads_allowed"] = {{"threads", allowance_.threads}, {"why", allowance_.why}};
  if (ranks_) json["ranks"] = ranks_->size();
  json["processor"] = hosts_[0]["processor"];
  json["hosts"] = hosts_;
  json["simd"] = kernels::simd_level();
  json["started"] = date_text();
  json["plugins"] = plugins_json(registry_);
  return json;
}

Json Session::identity() const {
  return {{"lopt", LOPT_VERSION},
          {"spec", lasting_text(experiment_.resolved)},
          {"simd", kernels::simd_level()},
          {"plugins", plugins_json(registry_)}};
}

void Session::warn_of_changed_plugins() const {
  // Where the spec lies in the folder of an earlier run, this is a rerun: other plugins may give other numbers.
  const std::string file = (std::filesystem::path(options_.spec).parent_path() / "run.json").string();
  std::ifstream earlier(file);
  if (!earlier) return;
  for (const std::string& sentence : changed_plugins(parse_json(earlier), registry_))
    warn(fmt::format("{}: {}", file, sentence));
}

void Session::begin() {
  hosts_ = hosts_of_all();
  if (!writes()) return;
  warn_of_changed_plugins();
  if (!folder_) folder_ = std::make_unique<RunFolder>(RunFolder::make(options_.out, experiment_.name));
  try {
    folder_->write("spec.yaml", to_yaml(experiment_.resolved));
    folder_->write_json("run.json", description());
    folder_->begin_metrics();
    registry_.foreign().keep_traced(folder_->file(traced_file_name));
  } catch (...) {
    folder_->discard();
    throw;
  }
}

void Session::go_on(std::unique_ptr<RunFolder> folder, const Checkpoint& checkpoint,
                    std::vector<std::vector<std::byte>> logged) {
  logged_ = std::move(logged);
  hosts_ = hosts_of_all();
  if (!writes()) return;
  folder_ = std::move(folder);
  const auto& run = checkpoint.facts.at("run");
  waiting_metrics_ = run.at("metrics_waiting").get<std::string>();
  folder_->begin_metrics(run.at("metrics_bytes").get<std::size_t>());
  registry_.foreign().keep_traced(folder_->file(traced_file_name));
  last_checkpoint_step_ = checkpoint.facts.at("step").get<int>();
  std::ifstream file(folder_->file("run.json"));
  Json json = parse_json(file);
  if (!json.is_object()) json = description();
  const int from = last_checkpoint_step_ + static_cast<int>(logged_.size());
  remove_logs_outside(folder_->path(), 0, from);
  Json entry{{"from_step", from}, {"threads", threads_}, {"date", date_text()}};
  if (ranks_) entry["ranks"] = ranks_->size();
  entry["hosts"] = hosts_;
  json["resumed"].push_back(entry);
  folder_->write_json("run.json", json);
}

void Session::write_page(const RunRecord& of, const std::string& under_way) {
  const auto start = std::chrono::steady_clock::now();
  try {
    folder_->write("report.html", run_page(folder_->path(), of, under_way));
  } catch (const std::exception& error) {
    could_not_write(error);
  }
  const auto now = std::chrono::steady_clock::now();
  next_page_ =
      now + std::max<std::chrono::steady_clock::duration>(least_time_between_pages, times_of_a_page * (now - start));
  add_seconds("page", seconds_since(start));
}

std::shared_ptr<const Optimizer> Session::optimizer_named(const std::string& name) const {
  Registry registry = registry_;
  if (registry.find(Optimizer::kind, name).empty()) return nullptr;
  SpecErrors errors;
  SpecNode resolved;
  return std::static_pointer_cast<const Optimizer>(
      registry.make(Optimizer::kind, SpecNode::scalar(name), "optimizer", errors, resolved));
}

namespace {
/// What the data sets of a family say of themselves: [{"source": …, "notes": […]}].
Json notes_of(const TaskFamily& family) {
  constexpr std::size_t most = 64;
  Json all = Json::array();
  for (std::size_t i = 0; i < std::min(most, family.size()); ++i) {
    const Batches batches = family.task(i).batches();
    if (!batches.dataset) continue;
    const Json notes{{"source", batches.dataset->source()}, {"notes", batches.dataset->notes()}};
    if (!notes["notes"].empty() && std::find(all.begin(), all.end(), notes) == all.end()) all.push_back(notes);
  }
  return all;
}
}  // namespace

int Session::finish(bool is_meta, int steps_done) {
  const int code = signal_that_came() == SIGINT ? interrupted : signal_that_came() == SIGTERM ? terminated : success;
  if (!writes()) return code;
  if (!options_.trace.empty()) tracer_.write(options_.trace);
  if (!waiting_metrics_.empty()) folder_->metrics().add(std::exchange(waiting_metrics_, ""));
  summary["interrupted"] = stop_wanted();
  summary["seconds"] = seconds_since(begun_);
  for (const auto& [part, seconds] : seconds_by_part_) summary["seconds_by_part"][part] = seconds;
  if (Json notes = notes_of(*experiment_.family); !notes.empty()) summary["data"] = std::move(notes);
  folder_->write_json("summary.json", summary);
  folder_->write("curves.svg", is_meta ? curves_svg(experiment_.name, "meta-step", "meta-loss (nats)", curves)
                                       : curves_svg(experiment_.name, "inner step", "training loss (nats)", curves));
  if (!metric_curves.empty())
    folder_->write("metrics.svg", curves_svg(experiment_.name, "inner step", "metric", metric_curves));
  if (!applied_curves.empty())
    folder_->write("applied.svg", curves_svg(experiment_.name + ": the trained optimizer", "inner step",
                                             "training loss (nats)", applied_curves));
  folder_->write_json(page_data_file, shown);
  write_events(folder_->path());
  write_page(record, "");
  if (stop_wanted())
    say(fmt::format("Stopped after {} steps; `lopt-run resume {}` goes on.", steps_done, folder_->path()));
  say(fmt::format("The run's folder: {}  (report.html, curves.svg, metrics.jsonl, summary.json{})", folder_->path(),
                  is_meta ? ", theta.npz" : ", params.npz"));
  if (is_meta && !stop_wanted() && experiment_.stages.empty())
    say(fmt::format("Next: lopt-run resume {} steps={} trains it longer; lopt-run describe NAME explains a plugin.",
                    folder_->path(), 2 * experiment_.steps));
  return code;
}

}  // namespace lopt
