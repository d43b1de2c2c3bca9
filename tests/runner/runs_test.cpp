// Runs from start to end: what they print, leave behind, and do when they are stopped.
#include "data/npz.h"
#include "runner/support.h"

#include <set>

#include <nlohmann/json.hpp>

using namespace lopt;
using namespace lopt::test;

namespace {
const std::string small = " 'task.hidden=[8]' task.batch_size=16 estimator.tasks=2 ";

nlohmann::json json_of(const std::string& path) { return nlohmann::json::parse(read_file(path)); }
std::size_t lines_of(const std::string& path) {
  const std::string text = read_file(path);
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}
}  // namespace

TEST_CASE("a meta-training leaves its folder complete") {
  TemporaryFolder folder;
  const std::string out = folder.file("run");
  const Result result = run("train configs/quickstart.yaml learned_optimizer=per_parameter_mlp steps=4 apply.steps=3" +
                            small + "--out " + out);
  INFO(result.output);
  REQUIRE(result.code == 0);
  CHECK_THAT(result.output,
             Contains("Meta-loss") && Contains("learned optimizer") && Contains("sgd 0.1") && Contains(out));
  for (const char* file :
       {"spec.yaml", "run.json", "metrics.jsonl", "summary.json", "theta.npz", "curves.svg", "applied.svg"})
    CHECK(fs::exists(out + "/" + file));
  CHECK(lines_of(out + "/metrics.jsonl") == 4);
  const auto summary = json_of(out + "/summary.json");
  CHECK(summary["meta_steps"] == 4);
  CHECK(summary["applied"].size() == 3);
  CHECK(json_of(out + "/run.json")["seed"] == 2);
  CHECK(read_npz(out + "/theta.npz")["w0"].leaf().shape() == Shape{3, 64});

  // The resolved spec is a spec: it gives the same run.
  const std::string again = folder.file("again");
  REQUIRE(run("train " + out + "/spec.yaml -q --out " + again).code == 0);
  CHECK(read_npz(again + "/theta.npz").leaves() == read_npz(out + "/theta.npz").leaves());
  CHECK(read_file(again + "/spec.yaml") == read_file(out + "/spec.yaml"));
}

TEST_CASE("a trained θ can be applied from its file") {
  TemporaryFolder folder;
  REQUIRE(run("train configs/quickstart.yaml learned_optimizer=per_parameter_mlp steps=2 apply=null compare=null" +
              small + "-q --out " + folder.file("run"))
              .code == 0);
  const std::string arguments =
      "train configs/tutorial/random_optimizer.yaml theta_seeds=null steps=3 task.batch_size=16 theta=";
  const Result result = run(arguments + folder.file("run") + "/theta.npz --out " + folder.file("applied"));
  INFO(result.output);
  CHECK(result.code == 0);
  CHECK_THAT(result.output, Contains("given θ"));
  CHECK(run(arguments + folder.file("run") + "/metrics.jsonl").code == 4);
  CHECK(run(arguments + folder.file("run") + "/theta.npz learned_optimizer.hidden=5").code == 4);
}

namespace {
/// Two steps of each spec of a folder of configs.
void run_specs_of(const std::string& subfolder) {
  std::size_t count = 0;
  for (const auto& entry : fs::recursive_directory_iterator(LOPT_SOURCE "/configs/" + subfolder)) {
    if (entry.path().extension() != ".yaml") continue;
    TemporaryFolder folder;
    INFO(entry.path());
    ++count;
    if (entry.path().filename() == "evaluation.yaml") {
      // With sanitizers one task in place of nine to twenty.
      const std::string fewer = patience > 1 ? "'tasks={small: {plugin: mlp_classifier, hidden: [8]}}' " : "";
      const Result evaluated = run("evaluate " + entry.path().string() + " -q 'steps=[2]' seeds=1 " + fewer + "--out " +
                                       folder.file("evaluation"),
                                   200);
      INFO(evaluated.output);
      CHECK(evaluated.code == 0);
      continue;
    }
    const Result checked = run("check " + entry.path().string());
    INFO(checked.output);
    CHECK(checked.code == 0);
    if (entry.path().filename() == "paper.yaml") continue;
    const Result result = shell("env LOPT_TRAIN_LENGTH=2 " + runner + " train " + entry.path().string() + " -q --out " +
                                folder.file("run"));
    INFO(result.output);
    CHECK(result.code == 0);
    CHECK(result.output.empty());
    // Two stages at most, each as long.
    const bool has_stages = read_file(entry.path()).find("\nstages:\n") != std::string::npos;
    CHECK(lines_of(folder.file("run/metrics.jsonl")) == (has_stages ? 4 : 2));
  }
  CHECK(count > 0);
}
}  // namespace

TEST_CASE("every spec in configs runs: bench") { run_specs_of("bench"); }
TEST_CASE("every spec in configs runs: exercises") { run_specs_of("exercises"); }
TEST_CASE("every spec in configs runs: gallery") { run_specs_of("gallery"); }
TEST_CASE("every spec in configs runs: papers") { run_specs_of("papers"); }
TEST_CASE("every spec in configs runs: recipes, general") { run_specs_of("recipes/general"); }
TEST_CASE("every spec in configs runs: recipes, the others") {
  for (const auto& entry : fs::directory_iterator(LOPT_SOURCE "/configs/recipes"))
    if (entry.path().filename() != "general") run_specs_of("recipes/" + entry.path().filename().string());
}
TEST_CASE("every spec in configs runs: tasks") { run_specs_of("tasks"); }
TEST_CASE("every spec in configs runs: tutorial") { run_specs_of("tutorial"); }
TEST_CASE("every spec in configs runs: no folder is left out") {
  std::set<std::string> folders, files;
  for (const auto& entry : fs::directory_iterator(LOPT_SOURCE "/configs"))
    (entry.is_directory() ? folders : files).insert(entry.path().filename().string());
  CHECK(folders == std::set<std::string>{"bench", "exercises", "gallery", "papers", "recipes", "tasks", "tutorial"});
  files.erase("lopt.schema.json");
  CHECK(files == std::set<std::string>{"quickstart.yaml"});  // trained to its end below
}

TEST_CASE("several runs of random optimizers, and diverged ones are marked") {
  TemporaryFolder folder;
  const Result result = run("train configs/tutorial/random_optimizer.yaml steps=100 --out " + folder.file("run"));
  INFO(result.output);
  REQUIRE(result.code == 0);
  const auto runs = json_of(folder.file("run/summary.json"))["runs"];
  REQUIRE(runs.size() == 5);
  const std::string svg = read_file(folder.file("run/curves.svg"));
  std::size_t diverged = 0;
  for (const auto& one : runs) diverged += one["diverged"].get<bool>();
  if (diverged > 0) CHECK_THAT(svg, Contains("diverged"));
  CHECK_THAT(svg, Contains("inner step") && Contains("training loss") && Contains("θ from seed 4"));
}

TEST_CASE("--data runs a spec on IDX files, whatever its task looks like") {
  TemporaryFolder folder;
  const std::string images{0, 0, 8, 3, 0, 0, 0, 40, 0, 0, 0, 9, 0, 0, 0, 9}, labels{0, 0, 8, 1, 0, 0, 0, 40};
  for (const char* part : {"train", "t10k"}) {
    folder.write(std::string(part) + "-images-idx3-ubyte", images + std::string(40 * 81, '\x40'));
    folder.write(std::string(part) + "-labels-idx1-ubyte", labels + std::string(40, '\x03'));
  }
  const std::string family = folder.write("family.yaml",
                                          "name: f\nsteps: 2\noptimizer: sgd\ntask_family: {plugin: fixed, task: "
                                          "{plugin: mlp_classifier, batch_size: 8, dataset: digits}}\n");
  const std::string bare = folder.write("bare.yaml", "name: b\nsteps: 2\noptimizer: sgd\ntask: mlp_classifier\n");
  for (const std::string& spec : {family, bare}) {
    const std::string out = folder.file("run-" + fs::path(spec).stem().string());
    const Result result = run("train " + spec + " --data " + folder.path() + " --out " + out);
    INFO(result.output);
    CHECK(result.code == 0);
    CHECK_THAT(read_file(out + "/spec.yaml"), Contains("idx_images") && Contains(folder.path()));
  }
  const Result preview = run("preview " + bare + " --data " + folder.path() + " --out " + folder.file("grid.png"));
  INFO(preview.output);
  CHECK(preview.code == 0);
  CHECK(read_file(folder.file("grid.png")).substr(1, 3) == "PNG");
}

TEST_CASE("data as downloads have it: dots, names before, folders below, compressed whatever the name says") {
  const std::string images{0, 0, 8, 3, 0, 0, 0, 40, 0, 0, 0, 9, 0, 0, 0, 9}, labels{0, 0, 8, 1, 0, 0, 0, 40};
  const std::string spec = "train configs/tutorial/sgd.yaml steps=1 -q task.batch_size=8 --data ";
  const std::vector<std::vector<std::string>> names{
      {"train-images.idx3-ubyte", "train-labels.idx1-ubyte", "t10k-images.idx3-ubyte", "t10k-labels.idx1-ubyte"},
      {"MNIST/raw/train-images-idx3-ubyte", "MNIST/raw/train-labels-idx1-ubyte", "MNIST/raw/t10k-images-idx3-ubyte.gz",
       "MNIST/raw/t10k-labels-idx1-ubyte"},
      {"emnist-letters-train-images-idx3-ubyte.gz", "emnist-letters-train-labels-idx1-ubyte.gz",
       "emnist-letters-test-images-idx3-ubyte.gz", "emnist-letters-test-labels-idx1-ubyte.gz"},
      {"train-images-idx3-ubyte/train-images-idx3-ubyte", "train-labels-idx1-ubyte/train-labels-idx1-ubyte",
       "t10k-images-idx3-ubyte/t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte/t10k-labels-idx1-ubyte"}};
  const auto write_set = [&](const TemporaryFolder& folder, const std::vector<std::string>& files) {
    for (std::size_t i = 0; i < files.size(); ++i) {
      fs::create_directories(fs::path(folder.file(files[i])).parent_path());
      folder.write(files[i], i % 2 == 0 ? images + std::string(40 * 81, '\x40') : labels + std::string(40, '\x03'));
    }
  };
  for (const auto& files : names) {
    TemporaryFolder folder;
    write_set(folder, files);
    const Result result = run(spec + folder.path() + " --out " + folder.file("run"));
    INFO(files[0] << "\n" << result.output);
    CHECK(result.code == 0);
  }
  TemporaryFolder folder;
  const Result none = run(spec + folder.path());
  CHECK(none.code == 4);
  CHECK_THAT(none.output, Contains("train-images-idx3-ubyte") && Contains("it holds nothing"));
  folder.write("notes.txt", "");
  CHECK_THAT(run(spec + folder.path()).output, Contains("it holds notes.txt"));
  write_set(folder, names[2]);
  write_set(folder, {"emnist-digits-train-images-idx3-ubyte", "emnist-digits-train-labels-idx1-ubyte"});
  const Result two = run(spec + folder.path());
  CHECK(two.code == 4);
  CHECK_THAT(two.output, Contains("emnist-digits-train") && Contains("emnist-letters-train") && Contains("`set`"));
}

TEST_CASE("a run that ended before its first checkpoint is begun by resume") {
  TemporaryFolder folder;
  const std::string out = folder.file("run"), whole = folder.file("whole");
  const std::string arguments = "train configs/quickstart.yaml steps=6 apply=null compare=null" + small + "-q --out ";
  REQUIRE(run(arguments + out).code == 0);
  REQUIRE(run(arguments + whole).code == 0);
  fs::remove_all(out + "/checkpoints");  // as a kill leaves it
  fs::remove(out + "/theta.npz");
  const Result result = run("resume " + out);
  INFO(result.output);
  CHECK(result.code == 0);
  CHECK_THAT(result.output, Contains("begins anew"));
  CHECK(read_npz(out + "/theta.npz").leaves() == read_npz(whole + "/theta.npz").leaves());
  CHECK(lines_of(out + "/metrics.jsonl") == 6);
}

TEST_CASE("as many threads as one may use, and a sentence where more are asked for") {
  TemporaryFolder folder;
  const std::string arguments =
      " train configs/quickstart.yaml steps=2 apply=null compare=null" + small + "-q --out " + folder.path();
  const Result one = shell("taskset -c 0 " + runner + arguments + "/one");
  CHECK(one.code == 0);
  CHECK(one.output.empty());  // no library speaks
  CHECK(json_of(folder.file("one/run.json"))["threads"] == 1);
  CHECK(json_of(folder.file("one/run.json"))["threads_allowed"]["why"] == "1 processor by affinity");
  const Result more = shell("taskset -c 0 " + runner + arguments + "/more --threads 3");
  CHECK(more.code == 0);
  CHECK_THAT(more.output, Contains("3 threads, as --threads says; 1 may run at once here") && !Contains("TBB"));
  CHECK(json_of(folder.file("more/run.json"))["threads"] == 3);
  CHECK(read_npz(folder.file("one/theta.npz")).leaves() == read_npz(folder.file("more/theta.npz")).leaves());
}

TEST_CASE("Ctrl-C keeps what is done so far and ends with 130") {
  TemporaryFolder folder;
  const std::string out = folder.file("run");
  const Result result =
      shell("timeout --signal=INT 2 " + runner + " train configs/tutorial/pes.yaml steps=1000000 --out " + out);
  INFO(result.output);
  CHECK((result.code == 130 || result.code == 124));  // timeout reports 124 unless told to keep the code
  const Result kept = shell("timeout --preserve-status --signal=INT 1 " + runner +
                            " train configs/tutorial/pes.yaml steps=1000000 --out " + folder.file("kept"));
  CHECK(kept.code == 130);
  CHECK_THAT(kept.output, Contains("Stopped after"));
  CHECK(json_of(folder.file("kept/summary.json"))["interrupted"] == true);
  CHECK(fs::exists(folder.file("kept/theta.npz")));
  CHECK(lines_of(folder.file("kept/metrics.jsonl")) ==
        json_of(folder.file("kept/summary.json"))["meta_steps"].get<std::size_t>());
}

TEST_CASE("a signal sent to the process and to its group is one wish") {
  TemporaryFolder folder;
  const Result result = shell(runner + " train configs/tutorial/pes.yaml steps=1000000 --out " + folder.file("run") +
                              " & run=$!; sleep 1; kill -INT $run; sleep 0.02; kill -INT $run; wait $run");
  INFO(result.output);
  CHECK(result.code == 130);
  CHECK_THAT(result.output, Contains("Stopped after"));
  CHECK(json_of(folder.file("run/summary.json"))["interrupted"] == true);
}

TEST_CASE("list keys has the key paths of a spec, of its plugins too") {
  const Result of_run = run("list keys configs/tutorial/pes.yaml"),
               of_evaluation = run("list keys configs/recipes/tutorial_task/evaluation.yaml");
  CHECK(of_run.code == 0);
  for (const char* path : {"\nestimator.std\n", "\ntask.hidden\n", "\nmeta_optimizer.learning_rate\n", "\nsteps\n"})
    CHECK_THAT(of_run.output, Contains(path));
  CHECK(of_evaluation.code == 0);
  for (const char* path : {"\nseeds\n", "\ntasks.tutorial.hidden\n", "\noptimizers.adam.tuned\n"})
    CHECK_THAT(of_evaluation.output, Contains(path));
  CHECK(run("list keys no-such-file.yaml").code == 2);
  CHECK(run("list nonsense").code == 2);
}

TEST_CASE("list and describe say what there is") {
  const Result list = run("list");
  CHECK(list.code == 0);
  for (const char* name :
       {"digits", "idx_images", "replay", "mlp_classifier", "fixed", "sgd", "momentum", "adam", "per_parameter_mlp",
        "full_gradient", "full_es", "truncated_gradient", "truncated_es", "pes"}) {
    CHECK_THAT(list.output, Contains(name));
    const Result described = run(std::string("describe ") + name);
    INFO(described.output);
    CHECK(described.code == 0);
    CHECK_THAT(described.output, Contains("Settings"));
  }
  std::istringstream lines(list.output);
  for (std::string line; std::getline(lines, line);)
    CHECK(std::count_if(line.begin(), line.end(), [](char c) { return (c & 0xC0) != 0x80; }) <= 80);  // characters
  CHECK_THAT(list.output, !Contains(".so"));
  CHECK_THAT(run("list --long").output, Contains("pes.so"));
  const Result pes = run("describe pes");
  CHECK_THAT(pes.output, Contains("as_in_tutorial") && Contains("default 0.01") && Contains("above 0") &&
                             Contains("in steps") && Contains("Paper: Vicol"));
}

TEST_CASE("what was trained by the quickstart beats tuned Adam, in training and on test data") {
  if (std::getenv("LOPT_SANITIZED")) {
    WARN("with sanitizers the whole quickstart takes many minutes: not run");
    return;
  }
  TemporaryFolder folder;
  const Result result = run("train configs/quickstart.yaml -q --out " + folder.file("run"), 300);
  INFO(result.output);
  REQUIRE(result.code == 0);
  const auto applied = json_of(folder.file("run/summary.json"))["applied"];
  CHECK(applied[0]["optimizer"] == "learned optimizer");
  CHECK_THAT(applied[2]["optimizer"].get<std::string>(), Contains(", the best of "));
  for (const char* measure : {"mean_loss", "loss_last_10", "test_loss"})
    for (int other : {1, 2}) CHECK(applied[0][measure].get<double>() < 0.97 * applied[other][measure].get<double>());
}
