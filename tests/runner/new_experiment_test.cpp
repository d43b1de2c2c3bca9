// lopt-run new-experiment: two specs for a task of one's own.
#include "runner/support.h"

using namespace lopt;
using namespace lopt::test;

TEST_CASE("new-experiment writes a meta-training and its evaluation, which run and end with words") {
  const TemporaryFolder folder;
  const std::string out = folder.file("mine");
  const Result written = run("new-experiment quadratic --out " + out);
  INFO(written.output);
  REQUIRE(written.code == 0);
  CHECK_THAT(written.output,
             Contains("train " + out + "/spec.yaml") && Contains("evaluate " + out + "/evaluation.yaml"));
  const Result trained =
      run("train " + out + "/spec.yaml steps=4 estimator.tasks=2 estimator.problem_length=20 --out " + out + "/run");
  INFO(trained.output);
  REQUIRE(trained.code == 0);
  const Result evaluated =
      run("evaluate " + out + "/evaluation.yaml seeds=2 'steps=[5, 40]' --out " + out + "/evaluation");
  INFO(evaluated.output);
  REQUIRE(evaluated.code == 0);
  // The words are wrapped at 80 columns.
  std::istringstream all(evaluated.output);
  std::string words;
  for (std::string word; all >> word;) words += word + " ";
  CHECK_THAT(words, Contains("mine") && Contains("mean loss") && Contains("the horizon of its training was 20"));
}

TEST_CASE("new-experiment refuses what is no task, and a folder that is there") {
  const TemporaryFolder folder;
  const Result unknown = run("new-experiment no_such_task --out " + folder.file("x"));
  CHECK(unknown.code == 2);
  CHECK_THAT(unknown.output, Contains("there is no task or task family 'no_such_task'"));
  folder.write("there", "kept");
  const Result there = run("new-experiment quadratic --out " + folder.file("there"));
  CHECK(there.code == 2);
  CHECK_THAT(there.output, Contains("is there already"));
  CHECK(read_file(folder.file("there")) == "kept");
}
