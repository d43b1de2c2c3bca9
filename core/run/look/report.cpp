// lopt-run report and diff: runs on a page, and beside each other.
#include "data/durable_file.h"
#include "report/provenance.h"
#include "report/run_page.h"
#include "report/text_width.h"
#include "run/command_line.h"
#include "spec/compose.h"
#include "spec/differences.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace lopt {
namespace {

namespace po = boost::program_options;

/// The run.json of a run's folder. Throws UsageError where it is none.
Json run_json(const std::string& folder) {
  Json json = object_in_file(folder + "/run.json");
  if (json.empty()) throw UsageError(fmt::format("{}: is no folder of a run: it has no run.json", folder));
  return json;
}

std::string cut_to(const std::string& text, std::size_t most) {
  return characters_in(text) <= most ? text : std::string(first_characters(text, most - 1)) + "…";
}

/// A table with as much room for each column as it needs, at most `most` characters.
void print_table(const std::vector<std::vector<std::string>>& rows, std::size_t most) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (widths.size() <= i) widths.push_back(0);
      widths[i] = std::max(widths[i], std::min(characters_in(row[i]), most));
    }
  for (const auto& row : rows) {
    std::string line = " ";
    for (std::size_t i = 0; i < row.size(); ++i) line += " " + fitted(cut_to(row[i], most), widths[i]) + " ";
    fmt::print("{}\n", line.substr(0, line.find_last_not_of(' ') + 1));
  }
}

/// Numbers of a summary by their paths: "applied.0.mean_loss".
void add_numbers(const Json& json, const std::string& path, std::vector<std::pair<std::string, std::string>>& found) {
  if (json.is_number() || json.is_string() || json.is_boolean())
    found.emplace_back(path, json.is_number_float() ? fmt::format("{:.5g}", json.get<double>())
                             : json.is_string()     ? json.get<std::string>()
                                                    : to_text(json));
  else if (json.is_object())
    for (const auto& [key, value] : json.items()) add_numbers(value, path.empty() ? key : path + "." + key, found);
  else if (json.is_array())
    for (std::size_t i = 0; i < json.size(); ++i) add_numbers(json[i], fmt::format("{}.{}", path, i), found);
}

/// SHA-256 of the library of each component.
std::vector<std::pair<std::string, std::string>> hashes_of(const Json& run) {
  std::vector<std::pair<std::string, std::string>> hashes;
  if (run.contains("plugins"))
    for (const Json& library : run["plugins"])
      for (const Json& part : library["components"])
        hashes.emplace_back(part.value("kind", "") + " " + part.value("name", ""),
                            library.value("sha256", "").substr(0, 12));
  return hashes;
}

using Pairs = std::vector<std::pair<std::string, std::string>>;
std::string value_in(const Pairs& pairs, const std::string& key) {
  const auto found = std::ranges::find(pairs, key, &Pairs::value_type::first);
  return found == pairs.end() ? "" : found->second;
}

/// Prints what differs; true where something does.
bool print_differences(const std::string& title, const Pairs& a, const Pairs& b) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& [key, value] : a)
    if (value_in(b, key) != value) rows.push_back({key, value, value_in(b, key)});
  for (const auto& [key, value] : b)
    if (std::ranges::find(a, key, &Pairs::value_type::first) == a.end()) rows.push_back({key, "", value});
  if (rows.empty()) return false;
  fmt::print("{}\n", title);
  constexpr std::size_t most = 34;
  print_table(rows, most);
  return true;
}

}  // namespace

int run_report(int argc, char** argv) {
  std::string out;
  po::options_description description;
  description.add_options()("out", po::value(&out),
                            "file to write (default: report.html in the run's folder; of several, here)");
  const std::string usage = "lopt-run report RUN… [--out FILE]";
  const auto values = options::parse(argc, argv, description, usage,
                                     "Writes one page of HTML for the folders of runs, evaluations or sweeps: verdict, "
                                     "curves, the update as a picture, spec and plugins. Of several, what differs "
                                     "between their specs comes first. Each run writes the page of its own.");
  if (!values) return success;
  const std::vector<std::string> folders = options::positional(*values);
  if (folders.empty()) throw UsageError("which run? usage: " + usage);
  for (const std::string& folder : folders) run_json(folder);
  if (out.empty()) out = folders.size() == 1 ? folders[0] + "/report.html" : "report.html";
  write_durably(out, report_page(folders, fmt::format("{} runs", folders.size())));
  fmt::print("{}\n", out);
  return success;
}

int run_diff(int argc, char** argv) {
  const po::options_description description;
  const std::string usage = "lopt-run diff RUN RUN";
  const auto values =
      options::parse(argc, argv, description, usage,
                     "Says what differs between two runs: their specs by key path, versions and plugins, results.");
  if (!values) return success;
  const std::vector<std::string> folders = options::positional(*values);
  if (folders.size() != 2) throw UsageError("diff takes the folders of two runs; usage: " + usage);
  std::vector<Json> runs, summaries;
  std::vector<SpecNode> specs;
  for (const std::string& folder : folders) {
    runs.push_back(run_json(folder));
    summaries.push_back(object_in_file(folder + "/summary.json"));
    specs.push_back(read_spec(folder + "/spec.yaml"));
  }
  bool differs = false;
  Pairs spec_a, spec_b;
  for (const SpecDifference& difference : differences_of(specs)) {
    spec_a.emplace_back(difference.path, difference.values[0]);
    spec_b.emplace_back(difference.path, difference.values[1]);
  }
  differs = print_differences("spec", spec_a, spec_b) || differs;
  Pairs made_a, made_b;
  for (const char* key : {"lopt", "simd", "threads", "ranks", "processor"}) {
    if (runs[0].contains(key)) made_a.emplace_back(key, to_text(runs[0][key]));
    if (runs[1].contains(key)) made_b.emplace_back(key, to_text(runs[1][key]));
  }
  differs = print_differences("version and machine", made_a, made_b) || differs;
  differs = print_differences("plugins, by SHA-256", hashes_of(runs[0]), hashes_of(runs[1])) || differs;
  Pairs results_a, results_b;
  add_numbers(summaries[0], "", results_a);
  add_numbers(summaries[1], "", results_b);
  for (Pairs* results : {&results_a, &results_b})
    std::erase_if(*results, [](const auto& entry) { return entry.first.starts_with("seconds"); });
  differs = print_differences("results", results_a, results_b) || differs;
  if (!differs) fmt::print("Nothing differs: spec, versions, plugins and results are the same.\n");
  return success;
}

/// What `list runs` says of a folder.
int list_runs(const std::string& folder) {
  std::vector<std::filesystem::path> runs;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error))
    if (std::filesystem::exists(entry.path() / "run.json")) runs.push_back(entry.path());
  if (error)
    throw UsageError(fmt::format("{}: there is no such folder; `lopt-run list runs FOLDER` lists another", folder));
  std::ranges::sort(runs);
  if (runs.empty()) {
    fmt::print("{}: no runs\n", folder);
    return success;
  }
  std::vector<std::vector<std::string>> rows;
  for (const std::filesystem::path& run : runs) {
    const Json made = run_json(run.string()), summary = object_in_file(run.string() + "/summary.json");
    std::string result = "not ended";
    if (summary.value("interrupted", false))
      result = "stopped; resume goes on";
    else if (summary.contains("verdict") && !summary["verdict"].empty())
      result = summary["verdict"][0].get<std::string>();
    else if (summary.contains("meta_loss_last_20") && summary["meta_loss_last_20"].is_number())
      result = fmt::format("meta-loss {:.4g} → {:.4g}", summary.value("meta_loss_first_20", 0.0),
                           summary["meta_loss_last_20"].get<double>());
    else if (made.value("kind", "") == "evaluation" && std::filesystem::exists(run / "evaluation.json"))
      result = "evaluation";
    else if (made.value("kind", "") == "sweep" && std::filesystem::exists(run / "best.yaml"))
      result = "sweep";
    rows.push_back({run.filename().string(), result});
  }
  std::size_t width = 0;
  for (const auto& row : rows) width = std::max(width, row[0].size());
  for (const auto& row : rows) fmt::print("  {:<{}}  {}\n", row[0], width, row[1]);
  return success;
}

}  // namespace lopt
