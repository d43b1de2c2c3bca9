// What becomes of a meta-training whose gradients or losses go wrong.
#include "runner/support.h"

#include <nlohmann/json.hpp>

#include <cmath>

using namespace lopt::test;

namespace {

struct Trained {
  Result result;
  nlohmann::json summary;
  std::vector<nlohmann::json> metrics;
  TemporaryFolder folder;

  Trained(const std::string& estimator, const std::string& rules, const std::string& learning_rate = "0.1") {
    const std::string spec = folder.write(
        "spec.yaml", "name: trouble\nsteps: 60\nplugin_path: " LOPT_BINARY
                     "/tests/plugins/trouble.so\ntask: {plugin: mlp_classifier, hidden: [4], batch_size: 8}\n"
                     "learned_optimizer: {plugin: per_parameter_mlp, hidden: 4}\nestimator: {plugin: trouble" +
                         estimator + "}\nmeta_optimizer: {plugin: sgd, learning_rate: " + learning_rate +
                         "}\nmeta_gradient: {" + rules + "}\n");
    result = run("train " + spec + " --out " + folder.file("run"));
    if (fs::exists(folder.file("run/summary.json")))
      summary = nlohmann::json::parse(read_file(folder.file("run/summary.json")));
    std::istringstream lines(read_file(folder.file("run/metrics.jsonl")));
    for (std::string line; std::getline(lines, line);) metrics.push_back(nlohmann::json::parse(line));
  }
};

}  // namespace

TEST_CASE("meta-gradients that are not finite: the step is skipped, and counted") {
  const Trained trained(", from: 5, to: 8", "");
  INFO(trained.result.output);
  CHECK(trained.result.code == 0);
  CHECK_THAT(trained.result.output, Contains("3 steps were skipped") && Contains("3 skipped"));
  CHECK(trained.summary["skipped_steps"] == 3);
  CHECK(trained.metrics[4]["skipped"] == false);
  CHECK(trained.metrics[5]["skipped"] == true);
  CHECK(trained.metrics[5]["gradient_norm"].is_null());
  CHECK(trained.metrics[8]["skipped"] == false);
}

TEST_CASE("twenty in a row end the training with a sentence, or as many as the spec says") {
  const Trained trained(", from: 5, to: 1000", "");
  INFO(trained.result.output);
  CHECK(trained.result.code == 1);
  CHECK_THAT(trained.result.output, Contains("training ends at step 25") && Contains("20 meta-gradients in a row") &&
                                        Contains("meta_gradient.stop_after"));
  CHECK(trained.metrics.size() == 25);
  CHECK(fs::exists(trained.folder.file("run/theta.npz")));
  CHECK(fs::exists(trained.folder.file("run/best/theta.npz")));
  const Trained sooner(", from: 5, to: 1000", "stop_after: 3");
  CHECK_THAT(sooner.result.output, Contains("training ends at step 8"));
  CHECK(Trained(", from: 5, to: 24", "").result.code == 0);
}

TEST_CASE("gradients that are not finite can be clipped instead") {
  const Trained trained(", from: 5, to: 8, some: true", "non_finite: clip");
  INFO(trained.result.output);
  CHECK(trained.result.code == 0);
  CHECK(trained.summary["skipped_steps"] == 0);
  CHECK(trained.summary["clipped_steps"] == 3);
  CHECK(trained.metrics[6]["clipped"] == true);
}

TEST_CASE("the global norm of a meta-gradient is clipped") {
  // θ has 26 weights; each element of the gradient is 10. Without a limit, θ moves by 60 · 0.1 · 10 = 60.
  const Trained trained(", size: 10, blow_up: 1", "clip_norm: 2");
  INFO(trained.result.output);
  CHECK(trained.summary["clipped_steps"] == 60);
  CHECK(trained.metrics[0]["gradient_norm"].get<double>() == Approx(10 * std::sqrt(26.0)));
  const double moved = 59 * 0.1 * 2 / std::sqrt(26.0);
  CHECK(trained.metrics[59]["meta_loss"].get<double>() == Approx(1 + moved * moved).epsilon(1e-4));
}

TEST_CASE("a meta-loss that has blown up rolls back to where it was best, and ends after some times") {
  const Trained trained(", blow_up: 1", "roll_back_above: 2, most_roll_backs: 1");
  INFO(trained.result.output);
  CHECK(trained.result.code == 1);
  CHECK_THAT(trained.result.output, Contains("blown up 2 times") && Contains("θ went back to its best 2 times"));
  CHECK(trained.summary["roll_backs"] == 2);
  std::size_t first = 0;
  while (first < trained.metrics.size() && trained.metrics[first]["rolled_back"] == false) ++first;
  REQUIRE(first + 1 < trained.metrics.size());
  CHECK(trained.metrics[first]["meta_loss"].get<double>() > 3);
  // The best is after the first twenty steps: θ has moved by 2 then.
  CHECK(trained.metrics[first + 1]["meta_loss"].get<double>() == Approx(1 + 2.0 * 2.0).epsilon(1e-3));
  CHECK(trained.summary["best_step"] == 20);
}

TEST_CASE("inner problems that diverge are counted in the metrics") {
  TemporaryFolder folder;
  const std::string spec = folder.write(
      "spec.yaml",
      "name: inner\nsteps: 3\ntask: {plugin: mlp_classifier, hidden: [4], batch_size: 8}\n"
      "learned_optimizer: {plugin: per_parameter_mlp, hidden: 4, step_multiplier: 1.0e+30}\n"
      "estimator: {plugin: pes, tasks: 4, unroll_length: 5}\nmeta_optimizer: {plugin: sgd, learning_rate: 0.001}\n");
  const Result result = run("train " + spec + " --out " + folder.file("run"));
  INFO(result.output);
  const auto summary = nlohmann::json::parse(read_file(folder.file("run/summary.json")));
  CHECK(summary["inner_diverged"].get<int>() >= 8);
  CHECK_THAT(read_file(folder.file("run/metrics.jsonl")), Contains("\"inner_diverged\":8"));
}

TEST_CASE("wrong rules for meta-gradients and checkpoints are refused") {
  const auto refused = [](const std::string& rules, const std::string& word) {
    const Trained trained("", rules);
    INFO(trained.result.output);
    CHECK(trained.result.code == 2);
    CHECK_THAT(trained.result.output, Contains(word));
  };
  refused("clip_norm: -1", "meta_gradient.clip_norm");
  refused("non_finite: ignore", "skip, clip");
  refused("clip: 1", "meta_gradient.clip");
  TemporaryFolder folder;
  for (const char* every : {"5 parsecs", "0 steps", "-1 s", "0.5 steps", "soon", "1e400 s", "''"}) {
    const std::string spec = folder.write(
        "spec.yaml", std::string("steps: 2\ntask: {plugin: mlp_classifier, batch_size: 8}\noptimizer: sgd\n"
                                 "checkpoint: {every: ") +
                         every + "}\n");
    const Result result = run("check " + spec);
    INFO(every << result.output);
    CHECK(result.code == 2);
    CHECK_THAT(result.output, Contains("checkpoint.every") && Contains("`50 steps` or `60 s`"));
  }
}
