// What is minimised, for how long, and what of θ is trained.
#include "data/json.h"
#include "data/npz.h"
#include "runner/support.h"

#include <lopt/dataset.h>

using namespace lopt;
using namespace lopt::test;

namespace {

const std::string spec =
    "train configs/quickstart.yaml learned_optimizer=per_parameter_mlp steps=3 apply=null compare=null "
    "meta_objective=null "
    "'task.hidden=[8]' task.batch_size=16 'estimator={plugin: pes, tasks: 4, unroll_length: 10, problem_length: 30}' ";

std::vector<Json> metrics(const std::string& run_folder) {
  std::vector<Json> rows;
  std::istringstream lines(read_file(run_folder + "/metrics.jsonl"));
  for (std::string line; std::getline(lines, line);) rows.push_back(parse_json(line));
  return rows;
}
std::vector<Json> trained(const std::string& arguments) {
  TemporaryFolder folder;
  const Result result = run(spec + arguments + " -q --out " + folder.file("run"));
  INFO(arguments << "\n" << result.output);
  REQUIRE(result.code == 0);
  return metrics(folder.file("run"));
}
double first_loss(const std::string& arguments) { return trained(arguments)[0]["meta_loss"].get<double>(); }
void refused(const std::string& arguments, int code, const std::string& words) {
  TemporaryFolder folder;
  const Result result = run(spec + arguments + " -q --out " + folder.file("run"));
  INFO(arguments << "\n" << result.output);
  CHECK(result.code == code);
  CHECK_THAT(result.output, Contains(words));
}

}  // namespace

TEST_CASE("each objective is minimised by each estimator that can") {
  const double mean = first_loss("");
  CHECK(first_loss("'meta_objective={normalized: true}'") == Approx(1).margin(0.1));
  CHECK(first_loss("'meta_objective={log: true}'") == Approx(std::log(mean)).margin(0.01));
  CHECK(first_loss("'meta_objective={of: least}'") < mean);
  CHECK(first_loss("'meta_objective={of: last}'") != mean);
  const double validation = first_loss("'meta_objective={data: validation}'");
  CHECK(validation != mean);
  CHECK(validation == Approx(mean).margin(0.05));
  const double accuracy = -first_loss("'meta_objective={metric: accuracy}'");
  CHECK((accuracy > 0 && accuracy < 0.4));
  for (const char* estimator : {"full_gradient", "truncated_gradient", "full_es", "truncated_es"})
    for (const char* objective : {"{of: last, data: validation}", "{of: least, log: true, normalized: true}"}) {
      const auto rows = trained(std::string("estimator=") + estimator + " 'meta_objective=" + objective + "'");
      CHECK(rows.back()["gradient_norm"].get<double>() > 0);
    }
}

TEST_CASE("objectives that have no meaning are refused with a sentence") {
  refused("'meta_objective={of: lst}'", 2, "did you mean 'last'");
  refused("'meta_objective={metric: acuracy}'", 2, "this task has accuracy");
  refused("'meta_objective={metric: accuracy, log: true}'", 2, "goes with losses alone");
  refused("'meta_objective={metric: accuracy}' estimator=truncated_gradient", 2, "has no slope");
  refused("'meta_objective={data: validation, validation_share: 0.001}'", 4, "training examples apart");
  refused("meta_objective=3", 2, "must be a mapping");
}

TEST_CASE("problems last as long as the spec says") {
  const auto lengths = [](const std::string& arguments) {
    std::vector<double> result;
    for (const Json& row : trained("steps=8 " + arguments)) result.push_back(row["lane_length"].get<double>());
    return result;
  };
  CHECK(lengths("") == std::vector<double>(8, 30));
  CHECK(lengths("estimator.truncation=never") == std::vector<double>(8, 0));
  const auto growing = lengths("estimator.truncation=curriculum estimator.least_length=5 estimator.curriculum_steps=6");
  CHECK(growing.front() < 10);
  CHECK(growing.back() > 15);
  const auto drawn = lengths("estimator.truncation=log_uniform estimator.least_length=2 estimator.tasks=16");
  CHECK((drawn[0] > 2 && drawn[0] < 30));
  for (const Json& row : trained("estimator.starts=staggered estimator.tasks=6 steps=9"))
    if (row["step"] > 3) CHECK(row["lane_age"].get<double>() == Approx(14.5).margin(5));
  CHECK(lengths("estimator.truncation=log_uniform estimator.least_length=31") == std::vector<double>(8, 30));
  refused("estimator.truncation=constnt", 2, "did you mean 'constant'");
}

TEST_CASE("parts of θ that are frozen keep their bits, and the rest is trained") {
  TemporaryFolder folder;
  REQUIRE(run(spec + "-q --out " + folder.file("free") + " steps=1 meta_optimizer.learning_rate=1e-30").code == 0);
  const Result result = run(spec + "'freeze=[\"w*\", b1]' -q --out " + folder.file("run"));
  INFO(result.output);
  REQUIRE(result.code == 0);
  const Values start = read_npz(folder.file("free/theta.npz")), end = read_npz(folder.file("run/theta.npz"));
  CHECK(start.paths() == end.paths());
  for (const char* name : {"w0", "w1"}) {
    const auto before = start[name].leaf().values<float>(), after = end[name].leaf().values<float>();
    CHECK(std::equal(before.begin(), before.end(), after.begin()));
  }
  const auto is_zero = [&](const char* name) {
    const auto values = end[name].leaf().values<float>();
    return std::all_of(values.begin(), values.end(), [](float x) { return x == 0; });
  };
  CHECK(is_zero("b1"));
  CHECK(!is_zero("b0"));
  CHECK(run("resume " + folder.file("run") + " steps=5 -q").code == 0);
  refused("freeze=lstm", 2, "which has: w0, b0, w1, b1");
  refused("'freeze=[\"*\"]'", 2, "nothing of θ is left");
}

TEST_CASE("features are asked for by name, and every one is finite where gradients are 0") {
  const std::string all =
      "'learned_optimizer={plugin: per_parameter_mlp, hidden: [8, 8], activation: tanh, features: [parameter, "
      "gradient, "
      "momentum 0.5, normalized momentum, second_moment, adam, adam 0.5 0.9, scaled_gradient, moment_ratio, "
      "inverse_root, "
      "adafactor, adafactor_momentum, row, column, step, progress, log_step, loss_trend, alignment, tensor_rms, "
      "tensor_size, tensor_kind]}' ";
  for (const char* estimator : {"estimator=truncated_gradient", "estimator=pes"})
    for (const Json& row : trained(all + estimator)) {
      CHECK(row["skipped"] == false);
      CHECK(row["gradient_norm"].get<double>() > 0);
    }
  const auto rule = [](const std::string& features) {
    return "'learned_optimizer={plugin: per_parameter_mlp, features: [" + features + "]}'";
  };
  refused(rule("gradient, momentm 0.9"), 2, "did you mean 'momentum'");
  refused(rule("momentum 1"), 2, "at least 0 and below 1");
  refused(rule("momentum x"), 2, "a number");
  refused(rule("adam 0.9 0.99 0.999"), 2, "takes at most 2");
  refused(rule("gradient 0.5"), 2, "takes none");
  refused(rule("normalized step"), 2, "one for the whole tensor");
  refused(rule(""), 2, "at least one entry");
  CHECK_THAT(run("describe features").output, Contains("momentum β") && Contains("by default β = 0.9"));
}

TEST_CASE("a hybrid that is not trained makes its optimizer's steps, to the bit") {
  TemporaryFolder folder;
  const std::string task = "seed: 3\nsteps: 12\ntask: {plugin: mlp_classifier, hidden: [16], batch_size: 16}\n";
  for (const char* optimizer : {"{plugin: adam, learning_rate: 0.01}", "{plugin: sgd, learning_rate: 0.1}",
                                "{plugin: momentum, learning_rate: 0.01}"}) {
    const std::string own = folder.write("own.yaml", task + "optimizer: " + optimizer + "\n"),
                      hybrid = folder.write(
                          "hybrid.yaml", task + "learned_optimizer: {plugin: hybrid, optimizer: " + optimizer + "}\n");
    fs::remove_all(folder.file("a"));
    fs::remove_all(folder.file("b"));
    REQUIRE(run("train " + own + " -q --out " + folder.file("a")).code == 0);
    REQUIRE(run("train " + hybrid + " -q --out " + folder.file("b")).code == 0);
    const auto a = metrics(folder.file("a")), b = metrics(folder.file("b"));
    REQUIRE(a.size() == 12);
    for (std::size_t k = 0; k < a.size(); ++k) CHECK(a[k]["loss"] == b[k]["loss"]);
  }
}

TEST_CASE("a comparison is tuned where the spec says so, and the words at the end name it") {
  TemporaryFolder folder;
  const Result result =
      run("train configs/quickstart.yaml learned_optimizer=learnable_sgd steps=2 estimator.tasks=2 'task.hidden=[8]' "
          "'apply={steps: 5, seeds: [1, 2]}' 'compare=[{tuned: sgd}, {plugin: adam}]' --out " +
          folder.file("run"));
  INFO(result.output);
  REQUIRE(result.code == 0);
  CHECK_THAT(result.output, Contains(", the best of ") && Contains("The learned optimizer's mean loss is"));
  refused("'apply={steps: 2}' 'compare=[{tuned: {plugin: adam, learning_rate: 1}}]'", 2, "leave it out");
  refused("'apply={steps: 2}' 'compare=[{tuned: nosuch}]'", 2, "nosuch");
}
