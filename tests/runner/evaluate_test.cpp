// lopt-run evaluate: who is better, said with figures, and what is not an evaluation.
#include "runner/support.h"

#include "data/json.h"

#include <algorithm>

using namespace lopt;
using namespace lopt::test;

namespace {

const char* const spec = R"(name: small
steps: [4, 12]
seeds: 3
tasks:
  bowl: {plugin: quadratic, dimensions: 6}
  images: {plugin: mlp_classifier, hidden: [4], batch_size: 16}
optimizers:
  tuned adam: {tuned: adam}
  cosine: {tuned: {plugin: clip_by_norm, inner: {plugin: sgd, learning_rate: {plugin: cosine}}}}
  too fast: {plugin: sgd, learning_rate: 30}
)";

Json results_of(const std::string& folder) { return parse_json(read_file(folder + "/evaluation.json")); }

}  // namespace

TEST_CASE("an evaluation says who is better, with figures that its files have too") {
  const TemporaryFolder folder;
  const std::string file = folder.write("spec.yaml", spec), out = folder.file("out");
  CHECK_THAT(run("check " + file).output, Contains("spec.yaml: fine"));
  CHECK(run("check " + file + " seeds=none").code == 2);
  const Result result = run("evaluate " + file + " --out " + out);
  INFO(result.output);
  REQUIRE(result.code == 0);
  CHECK_THAT(result.output, Contains("bowl, 12 steps, 3 problems") && Contains("Beside tuned adam:") &&
                                Contains("Beside the best of 2 that are tuned, for loss and for test loss:") &&
                                Contains("below on 0 of 2 tasks") && Contains("problems diverged") &&
                                Contains("over that of each column, 12 steps") && Contains("(0/2)"));
  std::istringstream lines(read_file(out + "/evaluation.txt"));
  for (std::string line; std::getline(lines, line);)
    CHECK(std::count_if(line.begin(), line.end(), [](char c) { return (c & 0xC0) != 0x80; }) <= 80);  // characters
  const Json json = results_of(out);
  CHECK(json["baseline"] == "tuned adam");
  REQUIRE(json["results"].size() == 2 * 2 * 3);
  for (const Json& row : json["results"]) {
    for (const char* key : {"task", "optimizer", "steps", "mean_loss", "mean_loss_interval", "final_loss", "test_loss",
                            "diverged", "seconds_a_step", "settings"})
      CHECK(row.contains(key));
    CHECK(row["rate"].is_null() == (row["optimizer"] == "too fast"));
    CHECK(row["test_metrics"].contains("accuracy") == (row["task"] == "images"));
    if (row["optimizer"] == "too fast" && row["task"] == "bowl") CHECK(row["diverged"] == 1);
    if (row["optimizer"] == "too fast") CHECK(row["ratio_to_best"].get<double>() > 1);
    // Test data are looked at along the run, and the lowest loss counts.
    if (row["task"] != "images") continue;
    const Json& curve = row["test_curve"];
    CHECK(curve.size() == row["steps"].get<std::size_t>());
    double lowest_mean = curve[0][1];
    for (const Json& point : curve) lowest_mean = std::min(lowest_mean, point[1].get<double>());
    CHECK(row["test_loss"].get<double>() <= lowest_mean + 1e-9);
  }
  const std::string table = read_file(out + "/evaluation.csv");
  CHECK(std::count(table.begin(), table.end(), '\n') == 13);
  CHECK_THAT(read_file(out + "/curves/images-12.svg"), Contains("too fast"));
}

TEST_CASE("where the best rate lies beyond the usual ones, it is found, and said") {
  const TemporaryFolder folder;
  // Parameters in units of a thousandth: what is far for the task is a thousand times as far here.
  const auto [output, results] = evaluated(folder, R"(name: far
steps: [30]
seeds: 2
tasks:
  far: {plugin: reparametrised_weights, each: task, low: 0.0001, high: 1, task: {plugin: quadratic, dimensions: 4}}
optimizers:
  adam: {tuned: adam}
  fixed: {plugin: adam, learning_rate: 1}
)");
  CHECK_THAT(output, Contains("its best rate") && Contains("beyond 1e-4 to 1"));
  const Json& row = results[0];
  CHECK(row["rate"].get<double>() > 1.1);
  CHECK(row["is_beyond_usual_rates"] == true);
}

TEST_CASE("an evaluation that was stopped goes on, and ends as if it had not been") {
  const TemporaryFolder folder;
  const std::string file = folder.write("spec.yaml", spec), whole = folder.file("whole"), part = folder.file("part");
  REQUIRE(run("evaluate " + file + " -q --out " + whole).code == 0);
  REQUIRE(run("evaluate " + file + " -q --out " + part).code == 0);
  // As a kill leaves it: some parts are there, and half a line.
  const std::string lines = read_file(part + "/metrics.jsonl");
  std::size_t end = 0;
  for (int i = 0; i < 5; ++i) end = lines.find('\n', end) + 1;
  std::ofstream(part + "/metrics.jsonl") << lines.substr(0, end + 40);
  fs::remove(part + "/evaluation.json");
  const Result resumed = run("resume " + part);
  INFO(resumed.output);
  REQUIRE(resumed.code == 0);
  Json a = results_of(whole), b = results_of(part);
  for (Json* json : {&a, &b}) {
    json->erase("verdict");  // says how long steps take
    for (Json& row : (*json)["results"])
      for (const char* key : {"seconds_a_step", "to_baseline_lowest", "to_baseline_lowest_test", "to_best_lowest_test"})
        row.erase(key);
  }
  CHECK(a == b);
}

TEST_CASE("what is no evaluation is refused with its place") {
  const TemporaryFolder folder;
  const auto refused = [&](const std::string& from, const std::string& to, const std::string& words) {
    std::string text = spec;
    text.replace(text.find(from), from.size(), to);
    const Result result = run("evaluate " + folder.write("spec.yaml", text) + " --out " + folder.file("out"));
    INFO(result.output);
    CHECK(result.code == 2);
    CHECK_THAT(result.output, Contains("spec.yaml:") && Contains(words));
    CHECK(!fs::exists(folder.file("out")));
  };
  refused("[4, 12]", "[12, 4]", "steps: must rise");
  refused("steps: [4, 12]\n", "", "steps: is missing");
  refused("{tuned: adam}", "{tuned: {plugin: adam, learning_rate: 0.1}}",
          "has a learning_rate, which is what is tuned");
  refused("{tuned: adam}", "{tuned: {plugin: by_leaf, inner: {plugin: by_leaf}}}", "is missing");
  refused("quadratic", "quadratik", "did you mean 'quadratic'");
  refused("learning_rate: 30", "learning_rat: 30", "did you mean 'learning_rate'");
  refused("seeds: 3", "seeds: 0", "must be at least 1");
}
