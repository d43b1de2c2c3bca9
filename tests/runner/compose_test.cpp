// Specs that build on specs, where each value of a spec came from, and numbers written as elsewhere.
#include "runner/support.h"

using namespace lopt::test;

namespace {
const std::string base = R"(name: base
steps: 2
task: {plugin: mlp_classifier, hidden: [8, 8], batch_size: 16, dataset: digits}
optimizer: {plugin: adam, learning_rate: 0.01}
)";
Result printed(const std::string& spec, const std::string& more = "") {
  return run("check " + spec + " --print " + more);
}
}  // namespace

TEST_CASE("specs of earlier versions are right today") {
  int specs = 0;
  for (const auto& entry : fs::recursive_directory_iterator(LOPT_GOLDEN "/specs")) {
    if (entry.path().extension() != ".yaml") continue;
    const Result result = run("check " + entry.path().string());
    INFO(result.output);
    CHECK(result.code == 0);
    ++specs;
  }
  CHECK(specs >= 20);
}

TEST_CASE("extends: mappings are merged, lists and scalars replaced, null removes") {
  TemporaryFolder folder;
  fs::create_directories(folder.file("deep"));
  folder.write("base.yaml", base);
  folder.write("rate.yaml", "optimizer: {learning_rate: 0.5}\nseed: 7\n");
  const std::string one = folder.write("deep/one.yaml",
                                       "extends: ../base.yaml\nname: one\ntask: {hidden: [4], batch_size: "
                                       "null}\noptimizer:\n  beta1: 0.8\n");
  const Result result = printed(one);
  INFO(result.output);
  CHECK(result.code == 0);
  CHECK_THAT(result.output, Contains("name: \"one\"") && Contains("hidden: [4]") && Contains("batch_size: 128") &&
                                Contains("learning_rate: 0.01") && Contains("beta1: 0.8"));
  const std::string two = folder.write("two.yaml", "extends: [deep/one.yaml, rate.yaml]\n");
  const Result both = printed(two, "optimizer.beta2=0.9");
  INFO(both.output);
  CHECK_THAT(both.output, Contains("learning_rate: 0.5") && Contains("beta1: 0.8") && Contains("seed: 7"));
  // Each value with where it came from.
  CHECK_THAT(both.output, Contains("one.yaml:2:7") && Contains("rate.yaml:1:28") && Contains("# command line") &&
                              Contains("# default") && Contains("base.yaml:2:8"));
  // The run's own spec stands alone.
  REQUIRE(run("train " + two + " -q --out " + folder.file("run")).code == 0);
  CHECK_THAT(read_file(folder.file("run/spec.yaml")), !Contains("extends"));
  fs::remove(folder.file("base.yaml"));
  CHECK(run("check " + folder.file("run/spec.yaml")).code == 0);
}

TEST_CASE("extends: cycles, files that are not there, and errors with their own file and line") {
  TemporaryFolder folder;
  folder.write("a.yaml", "extends: b.yaml\n");
  folder.write("b.yaml", "name: b\nextends: ./a.yaml\n");
  const Result cycle = run("check " + folder.file("a.yaml"));
  CHECK(cycle.code == 2);
  CHECK_THAT(cycle.output, Contains("b.yaml:2:10") && Contains("extends itself"));
  const Result missing = run("check " + folder.write("c.yaml", "extends: nowhere.yaml\n"));
  CHECK(missing.code == 2);
  CHECK_THAT(missing.output, Contains("c.yaml:1:10") && Contains("nowhere.yaml") && Contains("relative to this spec"));
  CHECK_THAT(run("check " + folder.write("m.yaml", "extends: {a: b}\n")).output, Contains("must be a file"));
  folder.write("base.yaml", base + "stepz: 3\n");
  const Result wrong = run("check " + folder.write("d.yaml", "extends: base.yaml\nseed: -1\n"));
  CHECK(wrong.code == 2);
  CHECK_THAT(wrong.output, Contains("base.yaml:5:8: stepz") && Contains("d.yaml:2:7: seed"));
}

TEST_CASE("merge keys, keys that hold anchors, and standard input") {
  TemporaryFolder folder;
  const std::string spec = folder.write(
      "spec.yaml",
      "x-small: &small {hidden: [4], batch_size: 8}\nx-big: &big {hidden: [64], activation: tanh}\nname: m\n"
      "steps: 2\ntask: {<<: [*small, *big], plugin: mlp_classifier, batch_size: 32, dataset: digits}\n"
      "optimizer: {<<: {learning_rate: 0.3}, plugin: sgd}\n");
  const Result result = printed(spec);
  INFO(result.output);
  CHECK(result.code == 0);
  CHECK_THAT(result.output, Contains("hidden: [4]") && Contains("batch_size: 32") && Contains("activation: \"tanh\"") &&
                                Contains("learning_rate: 0.3") && !Contains("x-small"));
  CHECK_THAT(run("check " + folder.write("w.yaml", "name: w\ntask: {<<: 3}\n")).output,
             Contains("w.yaml:2:8") && Contains("merge key"));
  const Result from_stdin = shell("sh -c 'cat " + spec + " | " + runner + " check - --print'");
  CHECK(from_stdin.code == 0);
  CHECK_THAT(from_stdin.output, Contains("# standard input:4:8"));
  const Result second = run("check " + folder.write("two.yaml", base + "---\nname: second\n"));
  CHECK(second.code == 2);
  CHECK_THAT(second.output, Contains("second YAML document") && Contains("two.yaml:"));
}

TEST_CASE("numbers written as elsewhere: how to write them here") {
  TemporaryFolder folder;
  const std::string spec = folder.write("spec.yaml", base);
  const std::vector<std::pair<std::string, std::string>> numbers{
      {"1_000", "write 1000"},         {"0x10", "write 16"}, {"1/4", "write 0.25"}, {"'1,5'", "write 1.5"},
      {"'\"0.1\"'", "without quotes"}, {"10%", "write 0.1"}};
  for (const auto& [written, hint] : numbers) {
    const Result result = run("check " + spec + " optimizer.learning_rate=" + written);
    INFO(result.output);
    CHECK(result.code == 2);
    CHECK_THAT(result.output, Contains("optimizer.learning_rate: must be a number") && Contains(hint));
  }
  CHECK_THAT(run("check " + spec + " 'optimizer={plugin: adam, learning_rate: 0,1}'").output, Contains("with a point"));
  CHECK_THAT(run("check " + spec + " steps=1_000").output, Contains("write 1000"));
}
