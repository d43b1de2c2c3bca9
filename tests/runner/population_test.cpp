// Populations: members that differ, exchanges, and the same bits whatever happens.
#include "runner/support.h"

#include <set>

using namespace lopt::test;
using lopt::Json;
using lopt::parse_json;

namespace {

constexpr const char* spec =
    "name: population\nseed: 4\nsteps: 24\ntask: {plugin: mlp_classifier, hidden: [6], batch_size: 8}\n"
    "learned_optimizer: learnable_sgd\n"
    "estimator: {plugin: pes, tasks: 4, unroll_length: 4, problem_length: 20, std: 0.05}\n"
    "meta_optimizer: {plugin: adam, learning_rate: 0.01}\ncheckpoint: {every: 4 steps, keep: 2}\n"
    "meta_training:\n  population: 4\n  every: 4\n  vary:\n"
    "    meta_optimizer.learning_rate: {log_uniform: [0.0001, 1]}\n"
    "    estimator.std: {log_uniform: [0.01, 0.1]}\n    estimator.unroll_length: {choice: [2, 4, 8]}\n";

std::string theta_of(const std::string& run) { return read_file(run + "/theta.npz"); }

}  // namespace

TEST_CASE("population: members differ, the worst go on from the best, and the page shows who") {
  const TemporaryFolder folder;
  const std::string file = folder.write("spec.yaml", spec), out = folder.file("out");
  const Result result = run("train " + file + " --out " + out);
  INFO(result.output);
  REQUIRE(result.code == 0);
  CHECK_THAT(result.output, Contains("A population of 4 meta-trainings") && Contains("Best is member"));
  const Json population = parse_json(read_file(out + "/population.json"));
  std::set<std::string> rates;
  for (const Json& settings : population["settings"]) rates.insert(settings[0][1].get<std::string>());
  CHECK(rates.size() == 4);
  REQUIRE(population["lineage"].size() >= 3);
  for (const Json& descent : population["lineage"]) {
    CHECK(descent["step"].get<int>() % 4 == 0);
    CHECK(descent["member"] != descent["parent"]);
    const double rate = std::stod(descent["settings"][0][1].get<std::string>());
    CHECK((rate >= 0.0001 && rate <= 1));
  }
  std::istringstream lines(read_file(out + "/metrics.jsonl"));
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count) CHECK(parse_json(line)["population"].size() == 4);
  CHECK(count == 24);
  CHECK_THAT(read_file(out + "/lineage.svg"), Contains("member 3"));
  CHECK_THAT(read_file(out + "/report.html"), Contains("Who went on from whom"));
  const Json summary = parse_json(read_file(out + "/summary.json"));
  double least = 1e9;
  for (const Json& member : summary["members"]) least = std::min(least, member["score"].get<double>());
  CHECK(summary["members"][summary["best_member"].get<std::size_t>()]["score"] == least);
}

TEST_CASE("population: the same bits for any threads and ranks, and where it was stopped") {
  const TemporaryFolder folder;
  const std::string file = folder.write("spec.yaml", spec);
  REQUIRE(run("train " + file + " -q --threads 2 --out " + folder.file("whole")).code == 0);
  const std::string whole = theta_of(folder.file("whole"));
  REQUIRE(run("train " + file + " -q --threads 1 --out " + folder.file("one")).code == 0);
  CHECK(theta_of(folder.file("one")) == whole);
  // Killed again and again.
  const std::string killed = folder.file("killed");
  REQUIRE(run("train " + file + " -q steps=8 --out " + killed).code == 0);
  for (int time = 0; time < 40 && theta_of(killed) != whole; ++time) {
    fs::remove(killed + "/theta.npz");
    shell("timeout -s KILL " + std::to_string(patience * (0.05 + 0.02 * time)) + " " + runner + " resume " + killed +
          " -q steps=24");
  }
  CHECK(theta_of(killed) == whole);
  if (shell("which mpirun").code != 0) {
    WARN("mpirun is not there, so ranks are not tried");
    return;
  }
  for (const int ranks : {2, 3}) {
    const std::string out = folder.file("ranks" + std::to_string(ranks));
    const Result result = shell("mpirun --allow-run-as-root --oversubscribe -n " + std::to_string(ranks) + " " +
                                runner + " train " + file + " -q --threads 1 --out " + out);
    INFO(result.output);
    CHECK(theta_of(out) == whole);
  }
}

TEST_CASE("population: what does not fit is refused") {
  const TemporaryFolder folder;
  const std::string file = folder.write("spec.yaml", spec);
  const auto refused = [&](const std::string& assignment, const std::string& sentence) {
    for (const std::string& verb : std::vector<std::string>{"check ", "train -q --out " + folder.file("out") + " "}) {
      const Result result = run(verb + file + " '" + assignment + "'");
      INFO(result.output);
      CHECK(result.code == 2);
      CHECK_THAT(result.output, Contains(sentence));
    }
  };
  refused("meta_training.population=1", "population: must be at least 2");
  refused("meta_training={vary: {estimator.std: {uniform: [1, 2]}}}", "population: is missing");
  refused("meta_training.vary={estimator.stdd: {uniform: [1, 2]}}", "did you mean 'std'");
  refused("meta_training.vary={estimator.std: {unifrom: [1, 2]}}", "did you mean 'uniform'");
  refused("meta_training.vary={estimator.std: 3}", "must be a distribution");
  refused("meta_training.vary={estimator.std: {uniform: [-2, -1]}}", "std: must be above 0");
  refused("meta_training.evry=3", "did you mean 'every'");
  refused("stages=[{steps: 3}]", "a population has no stages");
  const std::string out = folder.file("traced");
  CHECK(run("train " + file + " -q --trace " + folder.file("t.npz") + " --out " + out).code == 2);
  REQUIRE(run("train " + file + " -q steps=4 --out " + out).code == 0);
  CHECK_FALSE(fs::exists(out + "/traced.lopt"));
  const Result explained = run("explain " + out + " 1");
  CHECK(explained.code == 2);
  CHECK_THAT(explained.output, Contains("is a population"));
}
