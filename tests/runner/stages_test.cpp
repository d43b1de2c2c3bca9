// Meta-training in stages, relative to an optimizer, validated, averaged.
#include "runner/support.h"

#include "data/json.h"

#include <lopt/dataset.h>

#include <cstring>

using namespace lopt;
using namespace lopt::test;

namespace {

const char* const spec = R"(name: staged
seed: 1
task: {plugin: mlp_classifier, hidden: [4], batch_size: 16}
learned_optimizer: {plugin: per_parameter_mlp, hidden: [4]}
meta_objective: {relative_to: {tuned: adam}}
meta_optimizer: {plugin: averaged, decay: 0.5, inner: {plugin: adam, learning_rate: 0.01}}
estimator: {plugin: pes, tasks: 2, unroll_length: 3, std: 0.02}
stages:
- {steps: 6, estimator: {problem_length: 6}, freeze: [b0]}
- {steps: 6, estimator: {plugin: nres, problem_length: 12}, task: null, task_family: {plugin: sampled, task: quadratic, members: 2, dimensions: {choice: [3, 4]}}}
validate: {every: 4, steps: 5, tasks: {bowl: {plugin: quadratic, dimensions: 5}}, against: {plugin: adam, learning_rate: 0.1}}
apply: {steps: 5}
checkpoint: {every: 1 steps}
)";

std::vector<Json> lines_of(const std::string& file) {
  std::vector<Json> result;
  std::istringstream lines(read_file(file));
  for (std::string line; std::getline(lines, line);) result.push_back(parse_json(line));
  return result;
}

}  // namespace

TEST_CASE("stages follow each other, each from the θ of the one before, and validation chooses the best") {
  const TemporaryFolder folder;
  const std::string file = folder.write("spec.yaml", spec), out = folder.file("out");
  const Result result = run("train " + file + " --out " + out);
  INFO(result.output);
  REQUIRE(result.code == 0);
  CHECK_THAT(result.output, Contains("12 steps") && Contains("Validation:") && Contains("with averaged θ"));
  const std::vector<Json> lines = lines_of(out + "/metrics.jsonl");
  REQUIRE(lines.size() == 12);
  for (std::size_t step = 0; step < 12; ++step) {
    CHECK(lines[step]["stage"] == (step < 6 ? 0 : 1));
    // Every four steps of a stage, and at its end.
    const bool due = step == 3 || step == 5 || step == 9 || step == 11;
    CHECK(lines[step].contains("validation") == due);
    CHECK(lines[step].contains("validation_of_average") == due);
    if (due) CHECK(lines[step]["validation_losses"].contains("bowl"));
  }
  CHECK(lines[11].contains("member_losses"));
  const auto summary = parse_json(read_file(out + "/summary.json"));
  double least = 1e9;
  for (const std::size_t step : {9, 11})
    for (const char* key : {"validation", "validation_of_average"})
      least = std::min(least, lines[step][key].get<double>());
  CHECK(summary["best_validation"].get<double>() == Approx(least).epsilon(1e-6));
  CHECK(std::filesystem::exists(out + "/average/theta.npz"));
  CHECK(std::filesystem::exists(out + "/best/theta.npz"));
  // What was resolved is a spec of the same training.
  const Result again = run("train " + out + "/spec.yaml --out " + folder.file("again"));
  INFO(again.output);
  CHECK(again.code == 0);
  CHECK(read_file(folder.file("again") + "/theta.npz") == read_file(out + "/theta.npz"));
}

TEST_CASE("what is frozen in a stage stays as the stage before left it") {
  const TemporaryFolder folder;
  const std::string file = folder.write("spec.yaml", spec);
  const auto theta_after = [&](const std::string& name, const std::string& more) {
    const Result result = run("train " + file + " " + more + " --out " + folder.file(name));
    INFO(result.output);
    REQUIRE(result.code == 0);
    return read_npz(folder.file(name) + "/theta.npz");
  };
  const std::string only_first =
      "'stages=[{steps: 6, estimator: {problem_length: 6}, freeze: [b0]}]' meta_optimizer=adam";
  const Values frozen = theta_after("a", only_first),
               longer = theta_after(
                   "b", "'stages=[{steps: 1, estimator: {problem_length: 6}, freeze: [b0]}]' meta_optimizer=adam");
  const auto same = [](const Array& a, const Array& b) {
    return std::equal(a.values<float>().begin(), a.values<float>().end(), b.values<float>().begin());
  };
  CHECK(same(frozen["b0"].leaf(), longer["b0"].leaf()));
  CHECK_FALSE(same(frozen["w0"].leaf(), longer["w0"].leaf()));
}

namespace {
std::vector<std::string> names_in(const std::string& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    names.push_back(entry.path().filename().string());
  return names;
}

/// Cuts a log of steps (report/step_log.h) off behind so many.
void cut_log(const std::string& path, int steps) {
  const std::string content = read_file(path);
  std::size_t size = 0;
  for (int step = 0; step < steps; ++step) {
    REQUIRE(size + 8 <= content.size());
    std::uint64_t length = 0;
    std::memcpy(&length, content.data() + size, 8);
    size += 8 + length + 64;
  }
  REQUIRE(size <= content.size());
  std::filesystem::resize_file(path, size);
}
}  // namespace

TEST_CASE("a staged training that was stopped in any stage goes on to the same bits") {
  const TemporaryFolder folder;
  const std::string file = folder.write("spec.yaml", spec), whole = folder.file("whole");
  REQUIRE(run("train " + file + " --out " + whole).code == 0);
  for (const int done : {3, 6, 8, 11}) {
    const std::string from = folder.file("from" + std::to_string(done)), checkpoints = from + "/checkpoints/";
    // Each step is kept, in the first checkpoint or behind it.
    REQUIRE(run("train " + file + " 'checkpoint={every: 1 step, keep: 100}' --out " + from).code == 0);
    REQUIRE(std::filesystem::exists(checkpoints + "step-0000000001.checkpoint"));
    for (const std::string& name : names_in(checkpoints))
      if (!name.starts_with("step-0000000001.")) std::filesystem::remove(checkpoints + name);
    cut_log(checkpoints + "step-0000000001.log", done - 1);
    std::filesystem::remove(from + "/theta.npz");
    const Result result = run("resume " + from);
    INFO(done << result.output);
    REQUIRE(result.code == 0);
    CHECK_THAT(result.output, Contains("Going on after step " + std::to_string(done)));
    CHECK(read_file(from + "/theta.npz") == read_file(whole + "/theta.npz"));
    CHECK(read_file(from + "/best/theta.npz") == read_file(whole + "/best/theta.npz"));
    CHECK(read_file(from + "/average/theta.npz") == read_file(whole + "/average/theta.npz"));
  }
}

TEST_CASE("wrong stages are refused where they stand") {
  const TemporaryFolder folder;
  const std::string file = folder.write("spec.yaml", spec);
  const auto wrong = [&](const std::string& more, const std::string& sentence) {
    const Result result = run("check " + file + " " + more);
    INFO(result.output);
    CHECK(result.code == 2);
    CHECK_THAT(result.output, Contains(sentence));
  };
  wrong("stages=3", "must be a list");
  wrong("'stages=[]'", "must be a list");
  wrong("'stages=[{steps: 3, seed: 1, estimator: {problem_length: 9}}]'", "is the same for all stages");
  wrong("'stages=[{steps: 3, stages: []}]'", "no stages of its own");
  wrong("'stages=[{steps: 3, estimator: {problem_lenght: 9}}]'", "did you mean 'problem_length'");
  wrong("'stages=[{steps: 3}, {steps: 3, learned_optimizer: {hidden: [5]}}]'", "other parts, or other shapes");
  wrong("steps=5", "each stage has its own");
  wrong("validate.tasks=[]", "must be a list");
  wrong("'meta_objective={relative_to: adam, normalized: true}'", "goes without relative_to");
}

TEST_CASE("a loss relative to an optimizer is 1 for that optimizer") {
  const TemporaryFolder folder;
  // Adam, corrected by nothing: the hybrid before it was trained.
  const std::string file = folder.write("spec.yaml", R"(name: relative
steps: 12
task: {plugin: quadratic, dimensions: 200, condition: 1}
learned_optimizer: {plugin: hybrid, optimizer: {plugin: adam, learning_rate: 0.1}}
meta_objective: {relative_to: {plugin: adam, learning_rate: 0.1}}
meta_optimizer: {plugin: sgd, learning_rate: 1e-12}
estimator: {plugin: pes, tasks: 16, unroll_length: 10, problem_length: 30, starts: staggered, std: 1e-6}
)");
  for (const char* relative : {"mean", "step"}) {
    const std::string out = folder.file(relative);
    const Result result = run("train " + file + " meta_objective.relative=" + relative + " --out " + out);
    INFO(result.output);
    REQUIRE(result.code == 0);
    double mean = 0;
    for (const Json& line : lines_of(out + "/metrics.jsonl")) mean += line["meta_loss"].get<double>() / 12;
    CHECK(mean > 0.7);
    CHECK(mean < 1.4);
  }
}

TEST_CASE("clip_task bounds what each task gives to the meta-gradient") {
  const TemporaryFolder folder;
  const std::string file = folder.write("spec.yaml", R"(name: clipped
steps: 6
task: {plugin: mlp_classifier, hidden: [4], batch_size: 16}
learned_optimizer: {plugin: per_parameter_mlp, hidden: [4]}
meta_optimizer: {plugin: sgd, learning_rate: 0.001}
estimator: {plugin: pes, tasks: 4}
)");
  for (const char* estimator : {"pes", "nres", "truncated_es", "full_es", "truncated_gradient", "full_gradient"}) {
    const auto norms = [&](const std::string& name, const std::string& clip) {
      const std::string out = folder.file(std::string(estimator) + name);
      const Result result =
          run("train " + file + " estimator.plugin=" + estimator + " estimator.clip_task=" + clip + " --out " + out);
      INFO(result.output);
      REQUIRE(result.code == 0);
      std::vector<double> all;
      for (const Json& line : lines_of(out + "/metrics.jsonl")) all.push_back(line["gradient_norm"].get<double>());
      return all;
    };
    const std::vector<double> any = norms("any", "0"), wide = norms("wide", "1e20"), tight = norms("tight", "1e-3");
    INFO(estimator);
    for (std::size_t step = 0; step < any.size(); ++step) {
      CHECK(wide[step] == Approx(any[step]).epsilon(1e-3));
      CHECK(tight[step] <= 1.0001e-3);
      CHECK(tight[step] > 0);
    }
    CHECK(any[0] > 1e-3);
  }
}
