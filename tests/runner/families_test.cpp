// Families without code, and the data that tasks are trained on.
#include "data/npz.h"
#include "runner/support.h"

#include "catch.h"
#include <nlohmann/json.hpp>

#include <regex>
#include <set>
#include <sstream>

using namespace lopt;
using namespace lopt::test;

namespace {

using Arrays = std::vector<std::pair<std::string, Array>>;

const std::string family = R"(name: family
seed: 1
steps: 2
task_family:
  plugin: sampled
  task: mlp_classifier
  members: 6
  hidden: {choice: [[4], [8, 8]], weights: [1, 3]}
  activation: {choice: [relu, gelu]}
  initial_scale: {log_uniform: [0.01, 0.3]}
  batch_size: {integers: [4, 16]}
  dataset: {choice: [digits, {plugin: synthetic, kind: {choice: [teacher, clusters]}}]}
learned_optimizer: learnable_adam
estimator: {plugin: pes, tasks: 8, unroll_length: 3, problem_length: 9, std: 0.01}
meta_optimizer: {plugin: adam, learning_rate: 0.001}
)";

void refused(const std::string& arguments, int code, const std::string& text) {
  const Result result = run(arguments);
  INFO(arguments << "\n" << result.output);
  CHECK(result.code == code);
  CHECK_THAT(result.output, Contains(text));
}

}  // namespace

TEST_CASE("members of a sampled family are drawn from its seed, within their distributions") {
  const TemporaryFolder folder;
  folder.write("family.yaml", family);
  const std::string spec = folder.file("family.yaml");
  const Result first = run("sample " + spec + " 40"), again = run("sample " + spec + " 40");
  REQUIRE(first.code == 0);
  CHECK(first.output == again.output);
  CHECK(first.output != run("sample " + spec + " 40 task_family.seed=3").output);
  // Every member comes up, with all of its settings; each is one of those that may be.
  std::set<int> members;
  const std::regex line(
      R"regex(^ +(\d+)  \{plugin: mlp_classifier, hidden: \[(4|8, 8)\], activation: "(relu|gelu)".* initial_scale: ([0-9.]+),.* batch_size: (\d+), dataset: \{plugin: (digits|synthetic).*$)regex");
  std::istringstream lines(first.output);
  std::string text;
  std::getline(lines, text);
  CHECK(text == "40 of 6 members");
  while (std::getline(lines, text)) {
    std::smatch match;
    INFO(text);
    REQUIRE(std::regex_match(text, match, line));
    members.insert(std::stoi(match[1]));
    const double scale = std::stod(match[4]);
    CHECK((scale >= 0.01 && scale <= 0.3));
    CHECK((std::stoi(match[5]) >= 4 && std::stoi(match[5]) <= 16));
  }
  CHECK(members.size() == 6);
}

TEST_CASE("a family is meta-trained, and its members' losses are in the metrics") {
  const TemporaryFolder folder;
  folder.write("family.yaml", family);
  REQUIRE(run("train " + folder.file("family.yaml") + " -q --out " + folder.file("run")).code == 0);
  const std::string lines = read_file(folder.file("run/metrics.jsonl"));
  const auto metrics = nlohmann::json::parse(lines.substr(0, lines.find('\n')));
  REQUIRE(metrics.contains("member_losses"));
  CHECK(metrics["member_losses"].size() >= 3);
  // The mean over members, by how many lanes each has, is the meta-loss.
  double low = 1e9, high = 0;
  for (const auto& [member, loss] : metrics["member_losses"].items()) {
    low = std::min(low, loss.get<double>());
    high = std::max(high, loss.get<double>());
  }
  CHECK(metrics["meta_loss"].get<double>() >= low);
  CHECK(metrics["meta_loss"].get<double>() <= high);
}

TEST_CASE("a distribution that is none is refused with its place") {
  const TemporaryFolder folder;
  folder.write("family.yaml", family);
  const std::string check = "check " + folder.file("family.yaml") + " ";
  refused(check + "'task_family.hiden={choice: [[4]]}'", 2, "task_family.hiden: is no setting; did you mean 'hidden'?");
  refused(check + "'task_family.hidden={chioce: [[4]]}'", 2, "'chioce' is no distribution; did you mean 'choice'?");
  refused(check + "'task_family.hidden={choice: [[0]]}'", 2, "task_family.hidden: must be at least 1");
  refused(check + "'task_family.hidden={choice: []}'", 2, "task_family.hidden.choice: must be a list");
  refused(check + "'task_family.hidden={choice: [[4], [8]], weights: [1]}'", 2, "weights: must be a list of 2 numbers");
  refused(check + "'task_family.initial_scale={log_uniform: [0, 1]}'", 2, "must be two numbers above 0");
  refused(check + "'task_family.initial_scale={uniform: [2, 1]}'", 2, "the smaller one first");
  refused(check + "'task_family.batch_size={integers: [1.5, 2]}'", 2, "must be two integers");
  refused(check + "task_family.task=mlp_clasifier", 2, "did you mean 'mlp_classifier'?");
  refused(check + "'task_family.dataset={choice: [diggits]}'", 2, "did you mean 'digits'?");
  // In a file, with line and column.
  std::string wrong = family;
  wrong.replace(wrong.find("[0.01, 0.3]"), 11, "[0.3, 0.01]");
  folder.write("wrong.yaml", wrong);
  refused("check " + folder.file("wrong.yaml"), 2, "wrong.yaml:10:32: task_family.initial_scale.log_uniform: ");
}

TEST_CASE("a mixture draws its parts by their weights") {
  const TemporaryFolder folder;
  folder.write("mixture.yaml", R"(name: mixture
steps: 2
task_family:
  plugin: mixture
  tasks: [quadratic, {plugin: rosenbrock, dimensions: 3}]
  families: [{plugin: sampled, task: ackley, members: 3, dimensions: {integers: [2, 9]}}]
  weights: [0, 1, 3]
learned_optimizer: learnable_adam
estimator: {plugin: pes, tasks: 8, unroll_length: 3, problem_length: 9, std: 0.01}
meta_optimizer: {plugin: adam, learning_rate: 0.001}
)");
  const std::string spec = folder.file("mixture.yaml"), output = run("sample " + spec + " 400").output;
  const auto count = [&](const std::string& name) {
    std::size_t found = 0;
    for (std::size_t at = 0; (at = output.find("plugin: " + name, at)) != std::string::npos; ++at) ++found;
    return found;
  };
  CHECK(count("quadratic") == 0);
  CHECK(std::abs(static_cast<double>(count("rosenbrock")) - 100) < 35);
  CHECK(count("rosenbrock") + count("ackley") == 400);
  CHECK(run("train " + spec + " -q --out " + folder.file("run")).code == 0);
  refused("check " + spec + " 'task_family.weights=[1, 2]'", 2, "there are 2 weights for 3 tasks and families");
  refused("check " + spec + " 'task_family.weights=[0, 0, 0]'", 2, "all weights are 0");
  refused("check " + spec + " 'task_family.tasks=[quadratik]'", 2, "did you mean 'quadratic'?");
  refused("check " + spec + " 'task_family.tasks=[]'", 2, "task_family.tasks: must be a list with at least one");
  refused("check " + spec + " 'task_family={plugin: mixture}'", 2, "needs `tasks` or `families`, or both");
}

TEST_CASE("text of any file becomes sequences; one that does not fit is refused") {
  const TemporaryFolder folder;
  const std::string train =
      "train configs/tutorial/adam.yaml steps=2 -q 'task={plugin: char_rnn, hidden: 4, batch_size: 2, dataset: "
      "{plugin: text, ";
  folder.write("umlauts.txt", std::string(40, 'x') + "\xc3\xa4\xe2\x82\xac" + std::string(40, 'y'));
  const auto text = [&](const std::string& file, const std::string& more) {
    return train + "file: " + folder.file(file) + more + "}}' --out " + folder.file("run");
  };
  CHECK(run(text("umlauts.txt", ", length: 4")).code == 0);
  refused(text("umlauts.txt", ", length: 20"), 4, "fewer than the 21 of one sequence");
  folder.write("broken.txt", std::string(50, 'x') + "\xff" + std::string(50, 'y'));
  refused(text("broken.txt", ", length: 4"), 4, "byte 50 begins no UTF-8 character");
  refused(text("none.txt", ""), 4, "No such file or directory");
  refused(train + "file: " + folder.path() + "}}'", 4, "it is no file");
}

TEST_CASE("characters of any length are numbered alike wherever a sequence begins") {
  // 300 times "aä€😀": a place is kept for every 256th character, and sequences begin between.
  const TemporaryFolder folder;
  std::string mixed, plain;
  for (int i = 0; i < 300; ++i) {
    mixed += "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80";
    plain += "abcd";
  }
  folder.write("mixed.txt", mixed);
  folder.write("plain.txt", plain);
  const auto losses = [&](const std::string& file) {
    const std::string out = folder.file("run-" + file);
    REQUIRE(run("train configs/tutorial/adam.yaml steps=20 -q 'task={plugin: char_rnn, hidden: 4, batch_size: 3, "
                "dataset: {plugin: text, length: 13, file: " +
                folder.file(file) + "}}' --out " + out)
                .code == 0);
    return read_file(out + "/metrics.jsonl");
  };
  CHECK(losses("mixed.txt") == losses("plain.txt"));
}

TEST_CASE("an inner training measures on its test data as it goes, and a run that was stopped measures the same") {
  const TemporaryFolder folder;
  const std::string train =
      "configs/tutorial/adam.yaml --threads 1 -q 'metrics={every: 4}' 'checkpoint={every: 3 steps}' ";
  REQUIRE(run("train " + train + "steps=10 --out " + folder.file("whole")).code == 0);
  std::istringstream lines(read_file(folder.file("whole/metrics.jsonl")));
  int step = 0;
  for (std::string line; std::getline(lines, line); ++step) {
    for (const char* key : {"\"test_loss\":", "\"test_accuracy\":"})
      CHECK((line.find(key) != std::string::npos) == (step == 3 || step == 7));
  }
  CHECK(step == 10);
  CHECK_THAT(read_file(folder.file("whole/curves.svg")), Contains("test loss"));
  CHECK_THAT(read_file(folder.file("whole/metrics.svg")), Contains("test accuracy"));
  REQUIRE(run("train " + train + "steps=6 --out " + folder.file("part")).code == 0);
  REQUIRE(run("resume -q " + folder.file("part") + " steps=10").code == 0);
  CHECK(read_file(folder.file("part/metrics.jsonl")) == read_file(folder.file("whole/metrics.jsonl")));
  refused("check configs/tutorial/pes.yaml 'metrics={every: 4}'", 2, "metrics: goes with an inner training");
  refused("check configs/tutorial/adam.yaml 'metrics={every: 4, split: tests}'", 2, "did you mean 'test'");
}

TEST_CASE("tables, arrays and CIFAR's files are read, and damaged ones refused with their place") {
  const TemporaryFolder folder;
  const auto train = [&](const std::string& task, const std::string& dataset, const std::string& name) {
    return "train configs/tutorial/adam.yaml steps=2 -q 'task={plugin: " + task + ", batch_size: 4, dataset: {" +
           dataset + "}}' --out " + folder.file(name);
  };
  std::string table = "a,b,kind,y\n";
  for (int i = 0; i < 60; ++i)
    table += std::to_string(i) + "," + std::to_string(i * i % 7) + (i % 2 ? ",cat," : ",dog,") + std::to_string(2 * i) +
             "\n";
  std::string numbers = table;
  for (const char* word : {"cat", "dog"})
    for (std::size_t at = 0; (at = numbers.find(word, at)) != std::string::npos;) numbers.replace(at, 3, "1.5");
  folder.write("numbers.csv", numbers);
  folder.write("table.csv", table);
  const std::string csv = "plugin: csv, file: " + folder.file("numbers.csv");
  CHECK(run(train("linear_regression", csv + ", target: y", "csv")).code == 0);
  refused(train("linear_regression", csv + ", target: z", "c2"), 4, "has no column 'z'; there are: a, b, kind, y");
  folder.write("typo.csv", numbers + "1,1,1.5x,2\n");
  refused(train("linear_regression", "plugin: csv, file: " + folder.file("typo.csv") + ", target: y", "c3"), 4,
          "typo.csv:62: the column 'kind' is '1.5x', no number");

  const auto npz = [&](const std::string& file) { return "plugin: npz, file: " + folder.file(file); };
  write_npz(folder.file("good.npz"), Arrays{{"train/image", Array(DType::float32, {20, 4})},
                                            {"train/label", Array(DType::int32, {20})},
                                            {"test/image", Array(DType::float32, {8, 4})},
                                            {"test/label", Array(DType::int32, {8})}});
  CHECK(run(train("mlp_classifier", npz("good.npz"), "npz")).code == 0);
  write_npz(folder.file("odd.npz"),
            Arrays{{"image", Array(DType::float32, {20, 4})}, {"label", Array(DType::int32, {19})}});
  refused(train("mlp_classifier", npz("odd.npz"), "n2"), 4, "label has 19 examples, but image has 20");

  std::string records;
  for (int i = 0; i < 8; ++i)
    records += std::string(1, static_cast<char>(i)) + std::string(3072, static_cast<char>(i * 30));
  for (int i = 1; i <= 5; ++i) folder.write("data_batch_" + std::to_string(i) + ".bin", records);
  folder.write("test_batch.bin", records);
  const std::string cifar = "plugin: cifar, folder: " + folder.file("");
  CHECK(run(train("conv_classifier, channels: [2]", cifar, "cifar")).code == 0);
  folder.write("data_batch_3.bin", records.substr(0, 5000));
  refused(train("conv_classifier", cifar, "c4"), 4,
          "data_batch_3.bin: has 5000 bytes, no multiple of the 3073 of a record: it is cut short at byte 3073");
  records[3073] = 77;
  folder.write("data_batch_3.bin", records);
  refused(train("conv_classifier", cifar, "c5"), 4, "byte 3073 is the label 77, beyond the 10 classes");
}

TEST_CASE("a task that does not fit its data says so") {
  const std::string train = "check configs/tutorial/adam.yaml 'task={plugin: ";
  refused(train + "transformer, width: 30, heads: 4}'", 2, "a width of 30 is not divided by 4 heads");
  refused(
      train + "linear_regression, dataset: digits}'", 2,
      "the dataset has no array 'x', which the task linear_regression wants; an example of it has 'image' float32[64]");
  refused(train + "char_rnn, dataset: digits}'", 2, "the dataset has no array 'text'");
  refused(train + "inner_optimizer, task: {plugin: quadratic, dimensions: 5000, rotated: true}}'", 2,
          "4,096 dimensions");
}
