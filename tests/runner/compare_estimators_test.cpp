// `compare-estimators`: what is known of estimators comes out, and what is wrong is said.
#include "runner/support.h"

using namespace lopt::test;
using lopt::Json;
using lopt::parse_json;

namespace {

/// A linear system whose gradient is known to be small in noise for all, so that little time is enough.
constexpr const char* spec =
    "name: balance\nsteps: 10\ntask: {plugin: influence_balancing, size: 5}\n"
    "learned_optimizer: {plugin: linear_system, positive: 2, initial_theta: 0.3}\n"
    "meta_optimizer: {plugin: sgd, learning_rate: 0.001}\n"
    "estimator: {plugin: pes, tasks: 16, unroll_length: 4, problem_length: 40, loss_clip: 1000, std: 0.05}\n";

Json measured(const Json& comparison, const std::string& estimator, int length) {
  for (const Json& one : comparison["measures"])
    if (one["estimator"] == estimator && one["length"] == length) return one;
  return {};
}

}  // namespace

TEST_CASE("compare-estimators: unbiased ones have no bias, truncated ones do, and RTRL has no noise") {
  const TemporaryFolder folder;
  const Result result = run("compare-estimators " + folder.write("spec.yaml", spec) +
                            " --budget 4s --lengths 12,40 --out " + folder.file("out"));
  INFO(result.output);
  REQUIRE(result.code == 0);
  CHECK_THAT(result.output, Contains("On problems of 40 steps take "));
  const Json comparison = parse_json(read_file(folder.file("out/comparison.json")));
  REQUIRE(comparison["truths"].size() == 2);
  CHECK(comparison["truths"][0]["norm"].get<double>() > 0);
  for (const int length : {12, 40}) {
    INFO(length << " steps");
    for (const char* exact : {"rtrl", "full_gradient"}) {
      INFO(exact);
      CHECK(measured(comparison, exact, length)["bias"]["value"].get<double>() < 0.02);
      CHECK(measured(comparison, exact, length)["noise"]["value"].get<double>() < 0.02);
    }
    for (const char* unbiased :
         {"pes", "nres", "es_single", "uoro", "forward_gradient", "pes_with_gradient", "full_es"}) {
      INFO(unbiased);
      const Json one = measured(comparison, unbiased, length);
      REQUIRE(one.contains("bias"));
      CHECK(one["bias"]["low"].get<double>() < 0.1);
      CHECK(one["seconds"].get<double>() > 0);
    }
    for (const char* truncated : {"truncated_gradient", "truncated_es"}) {
      INFO(truncated);
      CHECK(measured(comparison, truncated, length)["bias"]["low"].get<double>() > 0.5);
    }
  }
  for (const char* file : {"figure.svg", "figure-2.svg", "report.html", "comparison.txt"})
    CHECK(fs::file_size(folder.file(std::string("out/") + file)) > 500);
  const std::string again = folder.file("out/spec.yaml");
  CHECK(run("compare-estimators " + folder.file("out") + " --budget 0.2s --estimator rtrl --out " + folder.file("more"))
            .code == 4);  // its folder has no θ
  CHECK(run("compare-estimators " + again + " --budget 0.2s --estimator rtrl --out " + folder.file("more")).code == 0);
}

TEST_CASE("compare-estimators: at the θ of a run, and with estimators that are written out") {
  const TemporaryFolder folder;
  const std::string file = folder.write("spec.yaml", spec), trained = folder.file("run");
  REQUIRE(run("train " + file + " -q steps=200 meta_optimizer.learning_rate=0.05 --out " + trained).code == 0);
  const Result result = run("compare-estimators " + trained +
                            " --budget 1s --estimator '{plugin: pes, std: 0.5}' --out " + folder.file("out"));
  INFO(result.output);
  REQUIRE(result.code == 0);
  CHECK_THAT(result.output, Contains("{plugin: pes, std: 0.5}"));
}

TEST_CASE("compare-estimators: what is wrong is said with exit code 2") {
  const TemporaryFolder folder;
  const std::string file = folder.write("spec.yaml", spec);
  const auto refused = [&](const std::string& arguments, const std::string& sentence) {
    const Result result = run("compare-estimators " + arguments);
    INFO(result.output);
    CHECK(result.code == 2);
    CHECK_THAT(result.output, Contains(sentence));
  };
  refused(file + " --budget soon", "--budget: 'soon' is no time");
  refused(file + " --budget -3s", "is no time");
  refused(file + " --lengths 30,x", "'x' is no number of steps");
  refused(file + " --estimator pess", "did you mean 'pes'");
  refused(file + " --estimator '{plugin: pes, stdd: 1}'", "did you mean 'std'");
  refused("configs/tutorial/adam.yaml", "is no meta-training");
  refused(file + " steps=null 'stages=[{steps: 2}]'", "compared in one stage");
  refused("", "usage");
}

TEST_CASE("estimators of estimators, histories and directions that do not fit are refused") {
  const TemporaryFolder folder;
  const std::string file = folder.write("spec.yaml", spec);
  const auto refused = [&](const std::string& estimator, const std::string& sentence) {
    const Result result = run("train " + file + " -q --out " + folder.file("out") + " 'estimator=" + estimator + "'");
    INFO(result.output);
    CHECK(result.code == 2);
    CHECK_THAT(result.output, Contains(sentence));
    CHECK_FALSE(fs::exists(folder.file("out")));
  };
  refused("{plugin: combined, estimators: [pes, truncated_es], weights: [1, 2, 3]}", "3 numbers for 2 estimators");
  refused("{plugin: combined, estimators: [pes, truncated_es], weights: [0, 0]}", "all 0");
  refused("{plugin: combined, estimators: [pes]}", "at least two");
  refused("{plugin: guided_es, history: 0}", "history: must be at least 1");
  refused("{plugin: guided_es, surrogate: pess}", "did you mean 'pes'");
  refused("{plugin: full_es, directions: quasi}", "must be one of");
  // RTRL of the tutorial's rule on a large network would keep its state 386 times for each problem.
  const Result large =
      run("train configs/tutorial/pes.yaml -q --out " + folder.file("out") +
          " 'estimator={plugin: rtrl, tasks: 2000}' 'task.hidden=[512, 512]' learned_optimizer.hidden=512 steps=1");
  INFO(large.output);
  CHECK(large.code == 2);
  CHECK_THAT(large.output, Contains("GB of memory"));
  const Result many = run("train configs/tutorial/pes.yaml -q --out " + folder.file("out") +
                          " 'estimator={plugin: full_es, tasks: 2, directions: quasi_random}' steps=1 apply=null "
                          "'task.hidden=[8]' 'learned_optimizer.hidden=[64, 64]'");
  INFO(many.output);
  CHECK(many.code == 2);
  CHECK_THAT(many.output, Contains("at most 3667 weights"));
}

TEST_CASE("estimators are unbiased in all of their forms") {
  for (const char* form : {"full_es.so directions=orthogonal tasks=2", "full_es.so directions=quasi_random tasks=4",
                           "forward_gradient.so through=problems", "forward_gradient.so direction=signs directions=3",
                           "uoro.so unroll_length=1", "pes_with_gradient.so truncation=log_uniform"}) {
    const Result result = run(std::string("check-plugin ") + LOPT_BINARY "/lib/lopt/plugins/" + form + time_limit);
    INFO(result.output);
    CHECK(result.code == 0);
    CHECK_THAT(result.output, Contains("unbiased ") && Contains(" of the gradient, "));
  }
}

TEST_CASE("combined: of an estimator without noise and one with, the one without counts") {
  const TemporaryFolder folder;
  const std::string file = folder.write("spec.yaml", spec);
  const auto theta_after = [&](const std::string& estimator) {
    const std::string out = folder.file("out");
    fs::remove_all(out);
    const Result result = run("train " + file + " -q steps=400 meta_optimizer.learning_rate=0.02 --out " + out +
                              " 'estimator=" + estimator + "'");
    INFO(result.output);
    REQUIRE(result.code == 0);
    std::istringstream lines(read_file(out + "/metrics.jsonl"));
    std::string line, last;
    while (std::getline(lines, line)) last = line;
    return parse_json(last)["theta"]["theta"].get<double>();
  };
  const std::string settings = ", tasks: 4, unroll_length: 4, problem_length: 40, loss_clip: 1000";
  const double exact = theta_after("{plugin: rtrl" + settings + "}");
  const double both = theta_after("{plugin: combined, estimators: [{plugin: rtrl" + settings + "}, {plugin: pes" +
                                  settings + ", std: 0.05}]}");
  CHECK(both == Approx(exact).margin(0.1));
}

TEST_CASE("reproduce: a paper's experiment, its figure and its sentence; resumed where it was stopped") {
  const TemporaryFolder folder;
  folder.write("one.yaml", std::string(spec) + "checkpoint: {every: never}\n");
  folder.write("two.yaml", "extends: one.yaml\nestimator: {plugin: rtrl, std: null}\n");
  const auto paper = [&](const std::string& holds) {
    return "name: balance\npaper: nobody, nowhere\nclaim: \"θ stays where it is.\"\nruns: [one.yaml, two.yaml]\n"
           "worth: one.yaml\nworth_problems: 2\nfigures:\n  - {kind: curves, what: theta, marks: {\"there\": 0.3}}\n"
           "  - {kind: estimators, spec: one.yaml, estimators: [rtrl], lengths: [8, 20], seconds: 0.5}\nholds:\n" +
           holds;
  };
  folder.write("paper.yaml", paper("  - {what: theta, of: [one, two], at_least: 0.2, at_most: 0.4}\n"
                                   "  - {what: loss, of: [one], below: two, times: 2}\n"));
  const std::string out = folder.file("out");
  const Result result = run("reproduce " + folder.path() + " --out " + out);
  INFO(result.output);
  REQUIRE(result.code == 0);
  CHECK_THAT(result.output, Contains("The paper's claim holds here: θ stays where it is."));
  const Json json = parse_json(read_file(out + "/paper.json"));
  CHECK(json["holds"] == true);
  CHECK(json["numbers"]["one"]["theta"].get<double>() == Approx(0.3).margin(0.05));
  CHECK(json["numbers"]["rtrl"].contains("noise@20"));
  CHECK_THAT(read_file(out + "/figure.svg"), Contains("there"));
  CHECK_THAT(read_file(out + "/report.html"), Contains("The paper&#39;s claim") || Contains("The paper's claim"));
  const std::string before = read_file(out + "/one/theta.npz");
  fs::remove(out + "/two.json");
  fs::remove_all(out + "/two");
  CHECK(run("resume " + out).code == 0);
  CHECK(fs::exists(out + "/two/theta.npz"));
  CHECK(read_file(out + "/one/theta.npz") == before);
  CHECK(run("check " + folder.file("paper.yaml")).output == folder.file("paper.yaml") + ": fine\n");

  folder.write("paper.yaml", paper("  - {what: theta, of: [one], at_least: 5}\n"));
  CHECK_THAT(run("reproduce " + folder.path() + " --out " + folder.file("not")).output,
             Contains("does not hold here") && Contains("theta at least 5: one 0.2"));
  const auto refused = [&](const std::string& text, const std::string& sentence) {
    folder.write("wrong.yaml", text);
    const Result wrong = run("reproduce " + folder.file("wrong.yaml"));
    INFO(wrong.output);
    CHECK(wrong.code == 2);
    CHECK_THAT(wrong.output, Contains(sentence));
  };
  refused("name: a\npaper: b\nclaim: c\nruns: [none.yaml]\n", "there is no file");
  refused("name: a\npaper: b\nclaim: c\nfigures: [{kind: curve}]\n", "did you mean 'curves'");
  refused("name: a\npaper: b\nclaim: c\nholds: [{what: theta, of: [one]}]\n", "says nothing");
  refused("name: a\npaper: b\n", "claim: is missing");
}

TEST_CASE("influence balancing: the estimators that see the long run arrive, the others go the other way") {
  const TemporaryFolder folder;
  const Result result = run("reproduce configs/papers/influence_balancing --out " + folder.file("out"), 300);
  INFO(result.output);
  REQUIRE(result.code == 0);
  CHECK_THAT(result.output, Contains("The paper's claim holds here"));
}
