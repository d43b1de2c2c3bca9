// Gradients of exactly 0 in meta-training, and the sentence that says where a value stopped being finite.
#include "runner/support.h"

#include <nlohmann/json.hpp>

using namespace lopt::test;

namespace {

const std::string rules = LOPT_BINARY "/tests/zero";

/// A short meta-training of a rule on digits, whose corners are always black.
struct Trained {
  TemporaryFolder folder;
  std::string out = folder.file("run");
  Result result;
  explicit Trained(const std::string& rule, const std::string& more = "") {
    const std::string spec = folder.write(
        "spec.yaml",
        "name: zeros\nsteps: 3\ntask: {plugin: mlp_classifier, hidden: [16], batch_size: 32, dataset: digits}\n"
        "learned_optimizer: " +
            rule +
            "\nestimator: {plugin: truncated_gradient, tasks: 2, unroll_length: 5, problem_length: 20, loss_clip: "
            "1e30}\n"
            "meta_optimizer: {plugin: adam, learning_rate: 0.01}\n");
    result = run("train " + spec + " --out " + out + " --plugin-path " + rules + " " + more);
  }
};

}  // namespace

TEST_CASE("Adam's formula, as anybody writes it, has a meta-gradient where gradients are 0") {
  const Trained trained("adam_by_theta");
  INFO(trained.result.output);
  CHECK(trained.result.code == 0);
  CHECK_THAT(trained.result.output, !Contains("skipped"));
  CHECK(run("check-plugin " + rules + "/adam_by_theta.so" + time_limit, 60).code == 0);
}

TEST_CASE("forward mode: derivatives at 0 are 0 where they must be, and one that breaks is named") {
  for (const std::string estimator : {"forward_gradient", "rtrl"}) {
    INFO(estimator);
    const std::string forward =
        " 'estimator={plugin: " + estimator + ", tasks: 2, unroll_length: 5, problem_length: 20}' ";
    const Trained good("adam_by_theta", forward);
    INFO(good.result.output);
    CHECK(good.result.code == 0);
    CHECK_THAT(good.result.output, !Contains("skipped"));
    // What a problem's state never leaves 0 by is no harm forward: its tangent is 0.
    const Trained root("{plugin: breaks, how: root}", forward);
    INFO(root.result.output);
    CHECK(root.result.code == 0);
    const Trained bad("{plugin: breaks, how: logarithm}", forward);
    INFO(bad.result.output);
    CHECK_THAT(bad.result.output, Contains("log of 0") && Contains("in learned optimizer 'breaks'"));
  }
  // UORO moves every element of the state, also one that stays at 0.
  const Trained moved("adam_by_theta", "'estimator={plugin: uoro, tasks: 2, unroll_length: 5, problem_length: 20}'");
  INFO(moved.result.output);
  CHECK_THAT(moved.result.output, Contains("derivative of sqrt at 0 in learned optimizer 'adam_by_theta'"));
}

TEST_CASE("a formula that breaks is named: plugin, function, operation, leaf, elements, and what helps") {
  const std::vector<std::pair<std::string, std::vector<std::string>>> cases{
      {"root", {"derivative of sqrt at 0", "under the root", " elements "}},
      {"logarithm", {"log of 0", "of 1,024 elements infinite", "above the pole"}},
      {"division", {"divide of 0 and 0", "of 1,024 elements NaN", "divisor"}}};
  for (const auto& [how, words] : cases) {
    const Trained trained("{plugin: breaks, how: " + how + "}");
    INFO(trained.result.output);
    CHECK(trained.result.code == 1);
    CHECK_THAT(trained.result.output, Contains("not one of 3 meta-steps counted"));
    const Result explained = run("explain " + trained.out + " 0");
    INFO(explained.output);
    CHECK(explained.code == 0);
    CHECK_THAT(explained.output, Contains("meta-step 0, problem "));
    // What a problem took along from the step before is told from what breaks in this one.
    const Result later = run("explain " + trained.out + " 1");
    INFO(later.output);
    CHECK_THAT(later.output, Contains("meta-step 1, problem "));
    if (how != "root") CHECK_THAT(later.output, Contains("state/params/w0 was not finite already"));
    for (const std::string& output : {trained.result.output, explained.output}) {
      CHECK_THAT(output, Contains("inner step ") && Contains("in learned optimizer 'breaks', update, leaf w"));
      for (const std::string& word : words) CHECK_THAT(output, Contains(word));
    }
    const auto summary = nlohmann::json::parse(read_file(trained.out + "/summary.json"));
    CHECK_THAT(summary["first_not_finite"].get<std::string>(), Contains("meta-step 0, problem ") && Contains(words[0]));
    const Result checked = run("check-plugin " + rules + "/breaks.so how=" + how + time_limit, 60);
    INFO(checked.output);
    CHECK(checked.code == 3);
    CHECK_THAT(checked.output, Contains("FAILED   zeros") && Contains(words[0]) && Contains(" 1 failed"));
  }
}

TEST_CASE("check-plugin names the first cause of a rule that breaks at zeros") {
  // Their squares are infinite at 1e30, too, but it is the root's derivative at 0 that breaks meta-training.
  for (const char* how : {"length", "size"}) {
    const Result checked = run("check-plugin " + rules + "/breaks.so how=" + how + time_limit, 60);
    CHECK_THAT(checked.output, Contains("derivative of sqrt at 0") && !Contains("1e+30"));
  }
}

TEST_CASE("divergence by growth is told from a formula that breaks") {
  const Trained trained("{plugin: breaks, how: growth}", "steps=20 estimator.unroll_length=20");
  INFO(trained.result.output);
  CHECK_THAT(trained.result.output, Contains("numbers grew until they overflowed (losses ") &&
                                        Contains("this is divergence, not a formula that breaks"));
}

TEST_CASE("explain of steps that are fine, and of what is none") {
  TemporaryFolder folder;
  const std::string out = folder.file("run");
  REQUIRE(run("train configs/quickstart.yaml steps=3 apply=null compare=null task.batch_size=8 'task.hidden=[4]' "
              "estimator.tasks=2 -q --out " +
              out)
              .code == 0);
  CHECK_THAT(run("explain " + out + " 2").output, Contains("everything is finite") && Contains("meta-loss"));
  CHECK(run("explain " + out + " minus").code == 2);
  CHECK(run("explain " + folder.path() + " 0").code == 2);
  CHECK(run("explain " + out).code == 2);
}
