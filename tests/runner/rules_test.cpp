// Rules beside the JAX packages' own, and what was trained used as an optimizer.
#include "data/json.h"
#include "data/npz.h"
#include "runner/support.h"

#include <cmath>
#include <map>
#include <optional>
#include <tuple>

using namespace lopt;
using namespace lopt::test;

namespace {
const std::string package = LOPT_GOLDEN "/package/";
const std::string small = " 'task.hidden=[8]' task.batch_size=16 estimator.tasks=2 apply=null compare=null ";

/// The arrays of a file, changed.
std::string changed(const TemporaryFolder& folder, const std::string& file, const std::string& name,
                    const std::optional<Array>& replacement) {
  std::vector<std::pair<std::string, Array>> arrays;
  const Values whole = read_npz(package + file);
  for (const auto& [known, array] : whole.entries())
    if (known != name)
      arrays.emplace_back(known, array.leaf());
    else if (replacement)
      arrays.emplace_back(known, *replacement);
  const std::string path = folder.file(std::to_string(std::hash<std::string>{}(name)) + ".npz");
  write_npz(path, arrays);
  return path;
}
}  // namespace

TEST_CASE("rules make the updates of the JAX packages that they come from") {
  // Tolerances: round-off of float32 over twelve updates; the corrections 1 − βᵗ of learnable_adam lose three digits.
  const std::vector<std::tuple<std::string, std::string, double>> rules{
      {"optimizer_sgd", "optimizer={plugin: sgd, learning_rate: 0.1}", 1e-6},
      {"optimizer_adam", "optimizer={plugin: adam, learning_rate: 0.01, epsilon_root: 1e-8}", 1e-6},
      {"optimizer_sgdm", "optimizer={plugin: momentum, learning_rate: 0.05}", 1e-6},
      {"optimizer_rmsprop", "optimizer={plugin: rmsprop, learning_rate: 0.01}", 1e-6},
      {"optimizer_rmsprop_momentum", "optimizer={plugin: rmsprop, learning_rate: 0.01, momentum: 0.9}", 1e-6},
      {"optimizer_rmsprop_nesterov", "optimizer={plugin: rmsprop, learning_rate: 0.01, momentum: 0.9, nesterov: true}",
       1e-6},
      // (g − m)² where a gradient repeats is a difference of nearly equal numbers.
      {"optimizer_adabelief", "optimizer={plugin: adabelief, learning_rate: 0.01}", 1e-5},
      {"optimizer_adamw", "optimizer={plugin: adamw, learning_rate: 0.01}", 1e-6},
      {"optimizer_fromage", "optimizer={plugin: fromage, learning_rate: 0.01}", 1e-6},
      {"optimizer_lars", "optimizer={plugin: lars, learning_rate: 0.1}", 1e-6},
      {"optimizer_lamb", "optimizer={plugin: lamb, learning_rate: 0.01, weight_decay: 0.01}", 1e-6},
      {"optimizer_radam", "optimizer={plugin: radam, learning_rate: 0.01}", 1e-6},
      {"optimizer_yogi", "optimizer={plugin: yogi, learning_rate: 0.01}", 1e-6},
      {"optimizer_nadamw", "optimizer={plugin: nadamw, learning_rate: 0.01}", 1e-6},
      {"learnable_sgd", "learned_optimizer=learnable_sgd", 1e-6},
      {"learnable_sgdm", "learned_optimizer=learnable_sgdm", 1e-6},
      {"learnable_adam", "learned_optimizer=learnable_adam", 5e-5},
      {"mlp_lopt", "learned_optimizer=mlp_lopt", 1e-6},
      {"adafac_mlp_lopt", "learned_optimizer=adafac_mlp_lopt", 1e-6},
      {"nn_adam", "learned_optimizer=nn_adam", 1e-6},
      {"rnn_mlp_lopt", "learned_optimizer=rnn_mlp_lopt", 1e-6},
      {"celo2_base", "learned_optimizer={plugin: celo2_base, learning_rate: 0.01}", 5e-6},
      {"celo2", "learned_optimizer={plugin: celo2, learning_rate: 0.01}", 2e-5},
      {"celo", "learned_optimizer={plugin: celo, step_multiplier: 0.1}", 1e-6},
      {"velo_s",
       "learned_optimizer={plugin: velo, lstm_hidden: 64, networks: 32, ff_multiplier: 1, step_multiplier: 1}", 1e-6}};
  for (const auto& [file, rule, tolerance] : rules) {
    const Result result =
        run("replay-updates " + package + file + ".npz '" + rule + "' --tolerance " + std::to_string(tolerance));
    INFO(file << "\n" << result.output);
    CHECK(result.code == 0);
    CHECK_THAT(result.output, Contains("12 steps of 4 leaves") && Contains("they agree"));
  }
  const Result wrong =
      run("replay-updates " + package + "optimizer_adam.npz 'optimizer={plugin: adam, learning_rate: 0.011}'");
  CHECK(wrong.code == 1);
  CHECK_THAT(wrong.output, Contains("they differ") && Contains("!"));
}

TEST_CASE("optimizers and wrappers make the updates of their formulas in float64") {
  // tests/golden/optimizers/write.py. Tolerances: round-off of float32 over twelve updates; roots of matrices and bases
  // lose a digit, and a basis in directions that gradients do not reach three.
  const std::vector<std::tuple<std::string, std::string, double>> rules{
      {"nesterov", "{plugin: momentum, learning_rate: 0.05, nesterov: true}", 1e-6},
      {"lion", "{plugin: lion, learning_rate: 0.01, weight_decay: 0.1}", 1e-6},
      {"adafactor", "{plugin: adafactor}", 1e-6},
      {"adafactor_absolute", "{plugin: adafactor, relative: false}", 1e-6},
      {"adan", "{plugin: adan, learning_rate: 0.01, weight_decay: 0.1}", 2e-6},
      {"shampoo", "{plugin: shampoo, momentum: 0.9}", 1e-5},
      {"shampoo_one_side", "{plugin: shampoo, momentum: 0.9, longest: 8}", 1e-5},
      {"soap", "{plugin: soap, learning_rate: 0.01, frequency: 2}", 2e-4},
      {"muon", "{plugin: muon}", 1e-6},
      {"schedule_free_sgd",
       "{plugin: schedule_free, base: sgd, weight_decay: 0.01, learning_rate: {plugin: warm_up, steps: 4, then: 0.1}}",
       1e-6},
      {"schedule_free_adam", "{plugin: schedule_free, weight_decay: 0.01, learning_rate: 0.01}", 2e-6},
      {"prodigy", "{plugin: prodigy, first_distance: 0.01}", 1e-6},
      {"clip_by_norm", "{plugin: clip_by_norm, norm: 0.5, inner: {plugin: momentum, learning_rate: 0.1}}", 1e-6},
      {"clip_by_value", "{plugin: clip_by_value, value: 0.2, inner: {plugin: sgd, learning_rate: 0.1}}", 1e-6},
      {"weight_decay", "{plugin: weight_decay, weight_decay: 0.001, inner: {plugin: adam, learning_rate: 0.01}}", 3e-6},
      {"look_ahead", "{plugin: look_ahead, every: 3, inner: {plugin: adam, learning_rate: 0.01}}", 2e-6},
      {"accumulate",
       "{plugin: accumulate, every: 4, inner: {plugin: adam, learning_rate: {plugin: cosine, value: 0.01}}}", 2e-6},
      {"by_leaf",
       "{plugin: by_leaf, inner: {plugin: adam, learning_rate: 0.01}, leaves: {\"[bg]*\": {plugin: sgd, learning_rate: "
       "0.1}}}",
       3e-6},
      {"cosine", "{plugin: adam, learning_rate: {plugin: cosine, value: 0.01}}", 3e-6},
      {"warm_up", "{plugin: sgd, learning_rate: {plugin: warm_up, steps: 5, then: {plugin: cosine, value: 0.1}}}",
       1e-6}};
  for (const auto& [file, rule, tolerance] : rules) {
    const Result result = run("replay-updates " LOPT_GOLDEN "/optimizers/" + file + ".npz 'optimizer=" + rule +
                              "' --tolerance " + std::to_string(tolerance));
    INFO(file << "\n" << result.output);
    CHECK(result.code == 0);
    CHECK_THAT(result.output, Contains("12 steps of 4 leaves") && Contains("they agree"));
  }
}

TEST_CASE("schedules and wrappers that do not fit are refused with their place") {
  const TemporaryFolder folder;
  const auto spec = [&](const std::string& optimizer) {
    return folder.write(
        "spec.yaml", "name: x\nsteps: 20\ntask: {plugin: mlp_classifier, hidden: [4]}\noptimizer: " + optimizer + "\n");
  };
  const auto refused_spec = [&](const std::string& optimizer, const std::string& words) {
    const Result result = run("check " + spec(optimizer));
    INFO(optimizer << "\n" << result.output);
    CHECK(result.code == 2);
    CHECK_THAT(result.output, Contains("spec.yaml:4:") && Contains(words));
  };
  refused_spec("{plugin: sgd, learning_rate: {plugin: cosin, value: 1}}", "did you mean 'cosine'?");
  refused_spec("{plugin: sgd, learning_rate: {plugin: cosine}}", "optimizer.learning_rate.value: is missing");
  refused_spec("{plugin: sgd, learning_rate: {plugin: adam}}", "a schedule is needed here");
  refused_spec("{plugin: sgd, learning_rate: {plugin: warm_up, steps: 20, then: 0.1}}",
               "optimizer.learning_rate: its warm-up of 20 steps is not shorter than the run of 20");
  refused_spec("{plugin: sgd, learning_rate: {plugin: piecewise, boundaries: [5, 5], values: [1, 2, 3]}}",
               "boundaries must rise");
  refused_spec("{plugin: sgd, learning_rate: {plugin: piecewise, boundaries: [5], values: [1, 2, 3]}}",
               "there are 3 values for 1 boundaries");
  refused_spec("{plugin: clip_by_norm, norm: 1}", "optimizer.inner: is missing");
  refused_spec("{plugin: by_leaf, inner: adam, leaves: {\"b2*\": sgd}}",
               "optimizer.leaves.b2*: no parameter has a name");
  refused_spec("{plugin: by_leaf, inner: adam, leaves: {w9: sgd}}", "did you mean 'w0'");
  refused_spec("{plugin: by_leaf, inner: adam, leaves: [sgd]}", "must be a mapping of names to components");
  refused_spec("&a {plugin: averaged, inner: *a}", "");
  CHECK(run("check " + spec("{plugin: clip_by_norm, inner: {plugin: by_leaf, inner: adam, leaves: {\"b*\": sgd}}}"))
            .code == 0);
  // A rate over the run, as a picture.
  const std::string picture = folder.file("rate.svg");
  const Result drawn =
      run("preview " + spec("{plugin: averaged, inner: {plugin: sgd, learning_rate: {plugin: cosine, value: 2}}}") +
          " --rate optimizer.inner.learning_rate --out " + picture);
  INFO(drawn.output);
  CHECK(drawn.code == 0);
  CHECK_THAT(drawn.output, Contains("2 at step 0"));
  CHECK_THAT(read_file(picture), Contains("optimizer.inner.learning_rate"));
  CHECK_THAT(run("preview " + spec("sgd") + " --rate optimizer.inner.learning_rate").output,
             Contains("there is no 'inner'"));
  CHECK_THAT(run("describe schedules").output,
             Contains("counts from its end") && Contains("cosine") && Contains("value"));
}

TEST_CASE("files of updates that are wrong are refused with a sentence") {
  TemporaryFolder folder;
  const std::string rule = " optimizer=adam";
  const auto refused = [&](const std::string& file, int code, const std::string& words, const std::string& with) {
    const Result result = run("replay-updates " + file + with);
    INFO(result.output);
    CHECK(result.code == code);
    CHECK_THAT(result.output, Contains(words));
  };
  refused(changed(folder, "optimizer_adam.npz", "grad_3/w", std::nullopt), 4, "has no array 'grad_3/w'", rule);
  refused(changed(folder, "optimizer_adam.npz", "grad_3/b", Array(DType::float32, {4})), 4,
          "'grad_3/b' is float32[4], but 'param_0/b' is float32[5]", rule);
  refused(changed(folder, "optimizer_adam.npz", "param_2/gain", Array::scalar(NAN)), 4, "not finite", rule);
  refused(changed(folder, "optimizer_adam.npz", "loss", std::nullopt), 4, "no array 'loss'", rule);
  refused(package + "optimizer_adam.npz", 4, "has no 'theta/log_lr'", " learned_optimizer=learnable_sgd");
  refused(package + "mlp_lopt.npz", 4, "this learned optimizer's is",
          " 'learned_optimizer={plugin: mlp_lopt, hidden_size: 8}'");
  refused(package + "optimizer_adam.npz", 2, "there is no optimizer plugin 'adm'", " optimizer=adm");
  refused(package + "optimizer_adam.npz", 2, "is no rule", " task=mlp_classifier");
  refused(folder.file("nothing.npz"), 4, "nothing.npz", rule);
}

TEST_CASE("what was trained is an optimizer, and where another training begins") {
  TemporaryFolder folder;
  const std::string trained = folder.file("trained");
  REQUIRE(run("train configs/quickstart.yaml learned_optimizer=learnable_adam steps=3" + small + "-q --out " + trained)
              .code == 0);
  const std::string learned = "'optimizer={plugin: learned, theta: " + trained + "}'";
  const Result inner = run("train configs/tutorial/sgd.yaml steps=5 task.batch_size=16 " + learned + " --trace " +
                           folder.file("inner.npz") + " --out " + folder.file("inner"));
  INFO(inner.output);
  CHECK(inner.code == 0);
  CHECK_THAT(read_file(folder.file("inner/spec.yaml")), Contains("plugin: learnable_adam") && Contains("theta.npz"));
  // The same losses as the learned optimizer with that θ.
  const Result given =
      run("train configs/tutorial/random_optimizer.yaml theta_seeds=null learned_optimizer=learnable_adam "
          "steps=5 task.batch_size=16 seed=0 theta=" +
          trained + " --trace " + folder.file("given.npz") + " --out " + folder.file("given"));
  INFO(given.output);
  REQUIRE(given.code == 0);
  const Result seed = run("train configs/tutorial/sgd.yaml seed=0 steps=5 task.batch_size=16 " + learned +
                          " -q --trace " + folder.file("seed.npz") + " --out " + folder.file("seed"));
  REQUIRE(seed.code == 0);
  CHECK(read_npz(folder.file("seed.npz"))["losses"].leaf() == read_npz(folder.file("given.npz"))["losses"].leaf());
  // As the meta-optimizer, and as where θ begins.
  CHECK(run("train configs/quickstart.yaml steps=2 'meta_optimizer={plugin: learned, theta: " + trained + "}'" + small +
            "-q --out " + folder.file("meta"))
            .code == 0);
  REQUIRE(run("train configs/quickstart.yaml learned_optimizer=learnable_adam steps=1 init_theta=" + trained + small +
              "--trace " + folder.file("again.npz") + " -q --out " + folder.file("again"))
              .code == 0);
  CHECK(read_npz(folder.file("again.npz"))["theta0_log_lr"].leaf() ==
        read_npz(trained + "/theta.npz")["log_lr"].leaf());
}

TEST_CASE("θ of another rule is refused, and both sides are named") {
  TemporaryFolder folder;
  const std::string trained = folder.file("trained");
  REQUIRE(run("train configs/quickstart.yaml learned_optimizer=learnable_sgd steps=1" + small + "-q --out " + trained)
              .code == 0);
  const auto refused = [&](const std::string& arguments, int code, const std::string& words) {
    const Result result = run("train " + arguments);
    INFO(result.output);
    CHECK(result.code == code);
    CHECK_THAT(result.output, Contains(words));
  };
  const std::string both = "is of the learned optimizer 'learnable_sgd', but 'mlp_lopt' is to use it";
  refused("configs/quickstart.yaml learned_optimizer=mlp_lopt init_theta=" + trained, 2, both);
  refused(
      "configs/tutorial/sgd.yaml 'optimizer={plugin: learned, theta: " + trained + ", learned_optimizer: mlp_lopt}'", 2,
      both);
  refused("configs/tutorial/sgd.yaml 'optimizer={plugin: learned, theta: " + package + "mlp_lopt.npz}'", 2,
          "does not say which learned optimizer");
  refused("configs/tutorial/sgd.yaml 'optimizer={plugin: learned, theta: " + folder.file("none") + "}'", 4, "none");
  refused("configs/tutorial/sgd.yaml 'optimizer={plugin: learned, theta: " + package +
              "mlp_lopt.npz, learned_optimizer: learnable_sgd}'",
          4, "has no array 'log_lr'");
}

TEST_CASE("general takes parameters and losses in any unit") {
  const TemporaryFolder folder;
  const Json rows = evaluated(folder, R"(name: units
steps: [40]
seeds: 2
tasks:
  images: {plugin: mlp_classifier, hidden: [16], batch_size: 32}
  images, losses up: {plugin: rescaled_loss, scale: 10000, task: {plugin: mlp_classifier, hidden: [16], batch_size: 32}}
  images, losses down: {plugin: rescaled_loss, scale: 0.0001, task: {plugin: mlp_classifier, hidden: [16], batch_size: 32}}
  images, parameters up: {plugin: reparametrised_weights, each: task, low: 0.0001, high: 0.0001, task: {plugin: mlp_classifier, hidden: [16], batch_size: 32}}
  images, parameters down: {plugin: reparametrised_weights, each: tensor, low: 10000, high: 10000, task: {plugin: mlp_classifier, hidden: [16], batch_size: 32}}
  bowl: {plugin: quadratic, dimensions: 10, condition: 30}
  bowl, losses up: {plugin: rescaled_loss, scale: 10000, task: {plugin: quadratic, dimensions: 10, condition: 30}}
  bowl, parameters down: {plugin: reparametrised_weights, each: task, low: 10000, high: 10000, task: {plugin: quadratic, dimensions: 10, condition: 30}}
optimizers:
  general: {plugin: learned, theta: general}
)")
                        .results;
  std::map<std::string, double> own;
  for (const Json& row : rows) {
    const std::string task = row["task"], kind = task.substr(0, task.find(','));
    if (task == kind) own[kind] = row["mean_loss"];
    const double unit = task.find("losses up") != std::string::npos     ? 10000
                        : task.find("losses down") != std::string::npos ? 0.0001
                                                                        : 1;
    INFO(task << ": " << row["mean_loss"].get<double>() / unit << " beside " << own[kind]);
    CHECK(std::abs(row["mean_loss"].get<double>() / unit / own[kind] - 1) < 0.01);
  }
  CHECK(rows.size() == 8);
}
