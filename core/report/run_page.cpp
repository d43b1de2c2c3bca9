#include "report/run_page.h"

#include "data/printable.h"
#include "report/evaluation_report.h"
#include "report/lineage.h"
#include "report/page.h"
#include "report/rank_shares.h"
#include "spec/differences.h"

#include <lopt/dataset.h>

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace lopt {
namespace {

constexpr std::size_t most_shown_ranks = 64;

std::string text_of(const std::string& file) {
  std::ifstream stream(file);
  std::stringstream text;
  text << stream.rdbuf();
  return text.str();
}

/// All of a run's folder but its metrics.
struct RunFiles {
  explicit RunFiles(const std::string& folder)
      : path(folder),
        spec(text_of(folder + "/spec.yaml")),
        run(object_in_file(folder + "/run.json")),
        summary(object_in_file(folder + "/summary.json")),
        shown(object_in_file(folder + "/" + page_data_file)) {
    if (spec.empty() || run.empty())
      throw DataError(fmt::format("{}: is no folder of a run: it has no spec.yaml or no run.json", folder));
  }
  std::string name() const {
    return run.value("name", std::filesystem::path(path).lexically_normal().filename().string());
  }
  std::string kind() const { return run.value("kind", ""); }

  std::string path, spec;
  Json run, summary, shown;
};

std::string as_text(const Json& value) { return value.is_string() ? value.get<std::string>() : to_text(value); }

std::vector<std::string> verdict_of(const RunFiles& files) {
  const Json& summary = files.summary;
  std::vector<std::string> sentences;
  if (summary.value("interrupted", false))
    sentences.push_back(fmt::format("Stopped before its end; lopt-run resume {} goes on.", files.path));
  if (summary.contains("verdict"))
    for (const Json& sentence : summary["verdict"]) sentences.push_back(as_text(sentence));
  if (summary.contains("meta_loss_first_20") && summary["meta_loss_last_20"].is_number() &&
      summary["meta_loss_first_20"].is_number())
    sentences.push_back(fmt::format("Meta-loss {:.3f} → {:.3f} in {} meta-steps.",
                                    summary["meta_loss_first_20"].get<double>(),
                                    summary["meta_loss_last_20"].get<double>(), as_text(summary["meta_steps"])));
  if (sentences.empty()) sentences.emplace_back("This run has not come to its end.");
  return sentences;
}

/// Of numbers with four digits, of texts as they are.
std::string cell_text(const Json& value) {
  if (value.is_null()) return "";
  return value.is_number_float() ? fmt::format("{:.4g}", value.get<double>()) : as_text(value);
}

void show_tables(Page& page, const RunFiles& files) {
  if (files.summary.contains("applied")) {
    std::vector<std::vector<std::string>> rows;
    for (const Json& row : files.summary["applied"])
      rows.push_back({as_text(row["optimizer"]), cell_text(row["mean_loss"]), cell_text(row["loss_last_10"]),
                      cell_text(row["test_loss"]), cell_text(row["diverged"])});
    page.table({"optimizer", "mean loss", "last 10 steps", "test loss", "diverged"}, rows);
  }
  if (files.summary.contains("runs")) {
    std::vector<std::vector<std::string>> rows;
    for (const Json& row : files.summary["runs"])
      rows.push_back({as_text(row["run"]), cell_text(row["loss_first_20"]), cell_text(row["loss_last_20"]),
                      cell_text(row["test_loss"]), row.value("diverged", false) ? "diverged" : ""});
    page.table({"run", "loss at the start", "at the end", "test loss", ""}, rows);
  }
}

void show_facts(Page& page, const RunFiles& files, int level) {
  page.heading("The run", level);
  const Json& run = files.run;
  std::string overrides;
  if (run.contains("overrides"))
    for (const Json& assignment : run["overrides"]) overrides += " '" + as_text(assignment) + "'";
  if (run.contains("spec"))
    page.code(
        fmt::format("lopt-run train {}{}\nlopt-run train {}/spec.yaml   # the same, with all defaults written out",
                    as_text(run["spec"]), overrides, files.path));
  std::vector<std::vector<std::string>> rows;
  for (const char* key : {"lopt", "started", "processor", "simd", "threads", "ranks", "seed"})
    if (run.contains(key)) rows.push_back({key, as_text(run[key])});
  if (files.summary.contains("seconds_by_part"))
    for (const auto& [part, seconds] : files.summary["seconds_by_part"].items())
      rows.push_back({"seconds: " + part, cell_text(seconds)});
  for (const char* key : {"seconds", "best_step", "skipped_steps", "clipped_steps", "roll_backs", "inner_diverged"})
    if (files.summary.contains(key)) rows.push_back({key, cell_text(files.summary[key])});
  if (run.contains("resumed"))
    rows.push_back({"begun again (times)", fmt::format("{}, at last after step {}", run["resumed"].size(),
                                                       cell_text(run["resumed"].back()["from_step"]))});
  page.table({"", ""}, rows);
  if (const RankShares shares = rank_shares_in(files.path); !shares.ranks.empty()) {
    page.heading("Its ranks", level);
    auto table = shares.table(most_shown_ranks);
    for (auto& row : table) row.resize(table[0].size());
    page.table(table[0], {table.begin() + 1, table.end()});
  }
  page.folded("Spec, with every default", files.spec);
  std::string plugins;
  if (run.contains("plugins"))
    for (const Json& library : run["plugins"]) {
      plugins += fmt::format("{}\n  sha256 {}\n", as_text(library["path"]), as_text(library["sha256"]));
      for (const Json& part : library["components"])
        plugins += fmt::format("  {} {} {}\n", as_text(part["kind"]), as_text(part["name"]), as_text(part["version"]));
    }
  page.folded("Plugins and their hashes", plugins);
}

void show_training(Page& page, const RunFiles& files, const RunRecord& record, int level) {
  page.chart(record.main_chart(files.summary));
  if (files.shown.contains("population")) page.picture(lineage_svg(files.shown["population"]));
  if (files.shown.contains("applied")) {
    Json applied = chart("Tried on fresh problems", "inner step", "training loss", files.shown["applied"], false,
                         "Mean over problems; shaded: from the least to the largest of them.");
    applied["falls"] = true;
    page.chart(std::move(applied));
  }
  show_tables(page, files);
  for (Json& other : record.other_charts()) page.chart(std::move(other));
  if (files.shown.contains("update")) {
    page.heading("The update as a picture", level);
    page.paragraph(
        "How far one step moves a parameter whose gradient was m at every step before and is g now: g across, m "
        "upwards. "
        "Blue moves down, red up; each square is scaled by its largest step.");
    for (const Json& rule : files.shown["update"]) page.maps(as_text(rule["label"]), rule);
  }
  if (files.summary.contains("data")) {
    page.heading("The data", level);
    for (const Json& set : files.summary["data"])
      for (const Json& note : set["notes"])
        page.paragraph(printable(fmt::format("{}: {}", as_text(set["source"]), as_text(note))));
  }
  if (files.shown.contains("images")) {
    page.heading("The data's first images", level);
    page.images(files.shown["images"]);
  }
}

void show_evaluation(Page& page, const RunFiles& files) {
  const std::vector<EvaluationRow> rows = read_rows(files.path + "/metrics.jsonl").first;
  if (rows.empty()) return;
  const EvaluationReport report(rows,
                                object_in_file(files.path + "/evaluation.json").value("baseline", rows[0].optimizer));
  page.verdict(report.verdicts());
  for (const auto& [task, steps] : report.groups()) {
    Json curves = Json::array();
    for (const EvaluationRow& row : rows)
      if (row.task == task && row.steps == steps) curves.push_back(spread_curve(row.optimizer, {row.score.curve}));
    page.chart(chart(fmt::format("{}, {} steps", task, steps), "inner step", "training loss", std::move(curves), true,
                     fmt::format("Mean of {} problems.", rows[0].score.mean_loss.size())));
    page.code(report.table(task, steps));
  }
}

/// The table of all trials, and the losses of the first of them, which are the best.
void show_sweep(Page& page, const RunFiles& files) {
  constexpr std::size_t most = 8;
  page.code(text_of(files.path + "/sweep.txt"));
  std::ifstream trials(files.path + "/sweep.csv");
  std::string line;
  std::getline(trials, line);  // the header
  Json curves = Json::array();
  bool is_meta = false;
  while (curves.size() < most && std::getline(trials, line)) {
    const int trial = std::atoi(line.c_str());
    const RunRecord record = read_record(fmt::format("{}/trials/{:03}", files.path, trial));
    if (record.empty()) continue;
    is_meta = record.is_meta();
    curves.push_back(record.main_curve(fmt::format("trial {}", trial)));
  }
  const std::string title = fmt::format("The best {} trials", curves.size());
  if (!curves.empty())
    page.chart(
        chart(title, is_meta ? "meta-step" : "inner step", is_meta ? "meta-loss" : "training loss", std::move(curves)));
  page.folded("Spec of the best trial", text_of(files.path + "/best.yaml"));
  page.folded("Spec", files.spec);
}

void show(Page& page, const RunFiles& files, const RunRecord& record, const std::string& under_way, int level) {
  if (files.kind() == "evaluation") {
    show_evaluation(page, files);
    page.folded("Spec, with every default", files.spec);
    return;
  }
  if (files.kind() == "sweep") {
    show_sweep(page, files);
    return;
  }
  page.verdict(under_way.empty() ? verdict_of(files) : std::vector{under_way});
  show_training(page, files, record, level);
  show_facts(page, files, level);
}

}  // namespace

RunRecord read_record(const std::string& folder) {
  RunRecord record;
  std::ifstream lines(folder + "/metrics.jsonl");
  for (std::string line; std::getline(lines, line) && !lines.eof();)
    if (const Json json = parse_json(line); json.is_object()) record.add(json);
  return record;
}

std::string run_page(const std::string& folder, const RunRecord& record, const std::string& under_way) {
  const RunFiles files(folder);
  Page page(files.name());
  if (!under_way.empty()) page.running();
  show(page, files, record, under_way, 2);
  return page.html();
}

std::string report_page(const std::vector<std::string>& folders, const std::string& title) {
  std::vector<RunFiles> runs(folders.begin(), folders.end());
  if (runs.size() == 1) return run_page(folders[0], read_record(folders[0]));
  Page page(title);
  std::vector<SpecNode> specs;
  std::vector<std::string> head{"key"}, labels;
  for (const RunFiles& run : runs) {
    specs.push_back(parse_spec(run.spec, run.path + "/spec.yaml"));
    labels.push_back(std::filesystem::path(run.path).lexically_normal().filename().string());
    head.push_back(labels.back());
  }
  page.heading("What differs");
  std::vector<std::vector<std::string>> rows;
  for (const SpecDifference& difference : differences_of(specs)) {
    rows.push_back({difference.path});
    rows.back().insert(rows.back().end(), difference.values.begin(), difference.values.end());
  }
  if (rows.empty())
    page.paragraph("Nothing: the specs are the same.");
  else
    page.table(head, rows);
  std::vector<RunRecord> records;
  Json meta_losses = Json::array(), losses = Json::array();
  for (std::size_t i = 0; i < runs.size(); ++i) {
    records.push_back(read_record(runs[i].path));
    if (!records[i].empty() && runs[i].kind().empty())
      (records[i].is_meta() ? meta_losses : losses).push_back(records[i].main_curve(labels[i]));
  }
  if (!meta_losses.empty()) page.chart(chart("Meta-loss of all", "meta-step", "meta-loss", std::move(meta_losses)));
  if (!losses.empty()) page.chart(chart("Training loss of all", "inner step", "training loss", std::move(losses)));
  for (std::size_t i = 0; i < runs.size(); ++i) {
    page.heading(labels[i]);
    show(page, runs[i], records[i], "", 3);
  }
  return page.html();
}

}  // namespace lopt
