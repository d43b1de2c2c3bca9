// The guard: a rule that fails is taken back, one that does not is left as it is.
#include "runner/support.h"

#include "data/json.h"

#include <algorithm>
#include <numeric>

using namespace lopt;
using namespace lopt::test;

namespace {

std::vector<double> losses_of(const TemporaryFolder& folder, const std::string& name, const std::string& optimizer,
                              const std::string& task, int steps) {
  const std::string file = folder.write(name + ".yaml", "name: guarded\nseed: 3\nsteps: " + std::to_string(steps) +
                                                            "\ntask: " + task + "\noptimizer: " + optimizer + "\n");
  const Result result = run("train " + file + " --out " + folder.file(name));
  INFO(result.output);
  REQUIRE(result.code == 0);
  std::vector<double> losses;
  std::istringstream lines(read_file(folder.file(name) + "/metrics.jsonl"));
  for (std::string line; std::getline(lines, line);) {
    const Json loss = parse_json(line)["loss"];
    losses.push_back(loss.is_number() ? loss.get<double>() : std::nan(""));
  }
  return losses;
}

}  // namespace

TEST_CASE("a guard leaves a rule that works as it is, to the bit") {
  const TemporaryFolder folder;
  const std::string task = "{plugin: mlp_classifier, hidden: [8], batch_size: 64}",
                    rule = "{plugin: adam, learning_rate: 0.01}";
  CHECK(losses_of(folder, "alone", rule, task, 100) ==
        losses_of(folder, "guarded", "{plugin: guard, inner: " + rule + "}", task, 100));
}

TEST_CASE("a guard takes back a rule that blows up") {
  const TemporaryFolder folder;
  const auto both = [&](const std::string& name, const std::string& rule, const std::string& task) {
    const std::vector<double> alone = losses_of(folder, name, rule, task, 400),
                              guarded = losses_of(
                                  folder, name + "_guarded",
                                  "{plugin: guard, fallback: {plugin: adam, learning_rate: 0.01}, inner: " + rule + "}",
                                  task, 400);
    INFO(name << ": alone " << alone.back() << ", guarded " << guarded.back() << " of " << guarded.front());
    CHECK_FALSE(alone.back() < 10 * alone.front());
    // Its promise: what is lost is what the tolerance allows, but for the noise of batches.
    const double least = *std::min_element(guarded.begin(), guarded.end());
    CHECK(std::accumulate(guarded.end() - 20, guarded.end(), 0.0) / 20 < 2 * least + 0.01);
  };
  both("bowl", "{plugin: sgd, learning_rate: 3}", "{plugin: quadratic, dimensions: 20}");
  both("classifier", "{plugin: sgd, learning_rate: 1000}", "{plugin: mlp_classifier, hidden: [16]}");
  // Good for a while, and then too large: as a learned rule beyond its horizon.
  both("later", "{plugin: sgd, learning_rate: {plugin: piecewise, boundaries: [100], values: [0.1, 1000]}}",
       "{plugin: mlp_classifier, hidden: [16]}");
}
