// lopt-run sweep: many values of some keys, of which one is best.
#include "runner/support.h"

#include "data/json.h"

using namespace lopt;
using namespace lopt::test;

namespace {

const char* const spec = R"(name: small
seed: 1
steps: 12
task: {plugin: quadratic, dimensions: 4}
optimizer: {plugin: sgd, learning_rate: 0.1}
)";

Json json_of(const std::string& file) {
  std::ifstream stream(file);
  return parse_json(stream);
}

}  // namespace

TEST_CASE("a sweep tries all combinations of lists, and writes the best spec out") {
  const TemporaryFolder folder;
  const std::string file = folder.write("spec.yaml", spec), out = folder.file("out");
  const Result result =
      run("sweep " + file +
          " 'optimizer.learning_rate=[0.001, 0.5, 0.01]' 'task.dimensions=[4, 5]' steps=10 --jobs 2 --out " + out);
  INFO(result.output);
  REQUIRE(result.code == 0);
  CHECK_THAT(result.output, Contains("runs.0.loss_last_20") && Contains("Best: trial"));
  const std::string table = read_file(out + "/sweep.csv");
  CHECK(std::count(table.begin(), table.end(), '\n') == 7);
  double best = 1e9;
  for (int i = 0; i < 6; ++i) {
    const Json trial = json_of(out + "/trials/00" + std::to_string(i) + ".json");
    const Json summary = json_of(out + "/trials/00" + std::to_string(i) + "/summary.json");
    CHECK(trial["score"] == summary["runs"][0]["loss_last_20"]);
    CHECK(summary["steps"] == 10);
    best = std::min(best, trial["score"].get<double>());
  }
  CHECK_THAT(read_file(out + "/best.yaml"), Contains("learning_rate: 0.5"));
  CHECK(run("check " + out + "/best.yaml").code == 0);
  CHECK_THAT(table.substr(table.find('\n') + 1, 60), Contains("learning_rate=0.5"));
}

TEST_CASE("a trial that fails is shown with its sentence, and the sweep goes on") {
  const TemporaryFolder folder;
  const std::string file = folder.write("spec.yaml", spec), out = folder.file("out");
  const Result result = run("sweep " + file + " 'optimizer.learning_rate=[0.1, -3]' --out " + out);
  INFO(result.output);
  CHECK(result.code == 0);
  CHECK_THAT(result.output, Contains("failed") && Contains("must be above 0") && Contains("Best: trial 0"));
}

TEST_CASE("a halving lets a third of the trials go on, each time for longer") {
  const TemporaryFolder folder;
  const std::string file = folder.write("spec.yaml", spec), out = folder.file("out");
  const Result result = run(
      "sweep " + file + " steps=90 'optimizer.learning_rate=log_uniform(1e-3, 1)' --trials 9 --halving --out " + out);
  INFO(result.output);
  REQUIRE(result.code == 0);
  CHECK_THAT(result.output, Contains("9 trials, 10 steps each") && Contains("3 trials, 30 steps each") &&
                                Contains("1 trial, 90 steps each"));
  int longest = 0, longer = 0;
  for (int i = 0; i < 9; ++i) {
    const Json summary = json_of(out + "/trials/00" + std::to_string(i) + "/summary.json");
    longest += summary["steps"] == 90;
    longer += summary["steps"].get<int>() >= 30;
  }
  const std::string page = read_file(out + "/report.html");
  CHECK_THAT(page, Contains("The best 8 trials") && Contains("Spec of the best trial"));
  CHECK_THAT(read_file(out + "/best.yaml"), Contains("steps: 90"));
  CHECK(longest == 1);
  CHECK(longer == 3);
  // The same draws, whenever they are drawn.
  const Result again =
      run("sweep " + file + " steps=90 'optimizer.learning_rate=log_uniform(1e-3, 1)' --trials 9 --out " +
          folder.file("again"));
  CHECK(again.code == 0);
  for (const std::string& sweep : {out, folder.file("again")})
    CHECK(json_of(sweep + "/trials/004.json")["assignments"] == json_of(out + "/trials/004.json")["assignments"]);
}

TEST_CASE("a sweep that was stopped goes on with what is left") {
  const TemporaryFolder folder;
  const std::string file = folder.write("spec.yaml", spec), out = folder.file("out");
  REQUIRE(run("sweep " + file + " 'optimizer.learning_rate=[0.1, 0.2]' --out " + out).code == 0);
  const std::string first = read_file(out + "/trials/000/run.json");
  std::filesystem::remove(out + "/trials/001.json");
  std::filesystem::remove_all(out + "/trials/001");
  const Result result = run("resume " + out);
  INFO(result.output);
  CHECK(result.code == 0);
  CHECK(read_file(out + "/trials/000/run.json") == first);
  CHECK(std::filesystem::exists(out + "/trials/001/summary.json"));
}

TEST_CASE("what is no sweep is said before anything is run") {
  const TemporaryFolder folder;
  const std::string file = folder.write("spec.yaml", spec), out = folder.file("out");
  const auto wrong = [&](const std::string& rest, const std::string& sentence) {
    const Result result = run("sweep " + file + " " + rest + " --out " + out);
    INFO(result.output);
    CHECK(result.code == 2);
    CHECK_THAT(result.output, Contains(sentence));
    CHECK_FALSE(std::filesystem::exists(out));
  };
  wrong("steps=10", "nothing varies");
  wrong("'optimizer.learning_rate=[]'", "at least one value");
  wrong("'optimizer.learning_rate=log_uniform(1, 2)'", "--trials");
  wrong("'optimizer.learning_rate=log_uniform(-1, 2)' --trials 3", "log_uniform");
  wrong("'optimizer.learning_rat=[1, 2]'", "did you mean 'learning_rate'");
  wrong("'optimizer.learning_rate=[0.1]' --jobs 0", "--jobs");
}
