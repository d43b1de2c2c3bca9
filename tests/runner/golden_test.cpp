// The tutorial's experiments through the runner, against what JAX gives: tests/golden.
#include "data/npz.h"
#include "runner/support.h"

#include <cmath>

using namespace lopt;
using namespace lopt::test;

namespace {

const std::string leaves[] = {"w0", "b0", "w1", "b1"};

Values golden_file(const std::string& name) { return read_npz(LOPT_GOLDEN "/" + name + ".npz"); }
std::string replay(const std::string& npz) {
  return " 'task.dataset={plugin: replay, data: " LOPT_GOLDEN "/data.npz, batches: " LOPT_GOLDEN "/" + npz + ".npz}' ";
}

/// The trace of a spec of the tutorial.
Values traced(const std::string& spec, const std::string& arguments) {
  TemporaryFolder folder;
  const Result result = run("train configs/tutorial/" + spec + ".yaml -q --out " + folder.file("run") + " --trace " +
                            folder.file("trace.npz") + arguments);
  INFO(result.output);
  REQUIRE(result.code == 0);
  return read_npz(folder.file("trace.npz"));
}

/// ‖a − b‖ / ‖b‖ over the four leaves together, of the first elements where a has more.
double relative(const Values& a, const Values& b, const std::string& prefix_a, const std::string& prefix_b = {}) {
  double error = 0, norm = 0;
  for (const std::string& leaf : leaves) {
    const Array x = a[prefix_a + leaf], y = b[(prefix_b.empty() ? prefix_a : prefix_b) + leaf];
    REQUIRE(x.size() >= y.size());
    for (std::size_t i = 0; i < y.size(); ++i) {
      const double u = static_cast<double>(x.values<float>()[i]), v = static_cast<double>(y.values<float>()[i]);
      error += (u - v) * (u - v);
      norm += v * v;
    }
  }
  return std::sqrt(error / norm);
}

double largest(const Values& a, const std::string& name_a, const Values& b, const std::string& name_b) {
  const Array x = a[name_a], y = b[name_b];
  REQUIRE(x.size() == y.size());
  double worst = 0;
  for (std::size_t i = 0; i < y.size(); ++i)
    worst = std::max(worst, static_cast<double>(std::abs(x.values<float>()[i] - y.values<float>()[i])));
  return worst;
}

/// Five meta-steps. `tolerance` is for gradients.
void require_meta_training(const std::string& npz, const std::string& spec, int seed, double tolerance) {
  const Values jax = golden_file(npz),
               ours = traced(spec, replay(npz) + "steps=5 apply=null seed=" + std::to_string(seed) +
                                       " estimator.tasks=" + (npz == "full_grad" ? "1" : "8"));
  INFO(npz);
  CHECK(largest(ours, "theta0_w0", jax, "theta0_w0") < 1e-6);
  for (int s = 0; s < 5; ++s) {
    INFO("meta-step " << s);
    const std::string step = std::to_string(s), next = std::to_string(s + 1);
    // A mean of losses near 2.3 in float32: JAX is within 7e-7 of float64.
    CHECK(largest(ours, "loss_" + step, jax, "loss_" + step) < 3e-6);
    CHECK(relative(ours, jax, "grad_" + step + "_") < tolerance);
    CHECK(relative(ours, jax, "theta_" + next + "_") < 1e-3);
  }
  if (!jax.contains("iterations")) return;
  CHECK(ours["iterations"].leaf() == jax["iterations"].leaf());
  CHECK(ours["iterations_end"].leaf() == jax["iterations_end"].leaf());
  CHECK(ours["end_param_w0"].leaf().shape() == Shape{8, 64, 128});
  // Parameters after up to 50 updates, each of which adds float32's round-off of 6e-8 to a difference that grows.
  CHECK(relative(ours, jax, "end_param_") < 1e-4);
  if (jax.contains("end_accumulator_w0")) CHECK(relative(ours, jax, "end_accumulator_") < 1e-6);
}

}  // namespace

// Tolerances. Each gradient was also computed in float64 from the same noise and batches. JAX's float32 is off from
// that by at most 5.4e-5 (full_grad), 1.1e-5 (full_grad_vectorized), 3.5e-5 (truncated_grad), 3.7e-4 (full_es), 6.9e-5
// (truncated_es) and 1.8e-5 (truncated_pes), relative to the gradient's norm, on the machine where it was recorded;
// other vector units round otherwise, and ES divides that by σ. So: 2 × for the exact gradients (both sides round), and
// for ES what two processors were seen to differ by in JAX itself, or less.
// Those marked run on ARM too, by `./dev cross arm64`.
TEST_CASE("full_gradient gives JAX's numbers") { require_meta_training("full_grad", "full_gradient", 0, 1.1e-4); }
TEST_CASE("full_gradient_vectorized gives JAX's numbers") {
  require_meta_training("full_grad_vectorized", "full_gradient_vectorized", 0, 5e-5);
}
TEST_CASE("full_es gives JAX's numbers") { require_meta_training("full_es", "full_es", 0, 5e-3); }
TEST_CASE("truncated_gradient gives JAX's numbers", "[arm64]") {
  require_meta_training("truncated_grad", "truncated_gradient", 1, 1e-4);
}
TEST_CASE("truncated_es gives JAX's numbers") { require_meta_training("truncated_es", "truncated_es", 1, 1e-3); }
TEST_CASE("pes gives JAX's numbers", "[arm64]") { require_meta_training("truncated_pes", "pes", 1, 6e-4); }

TEST_CASE("inner trainings give JAX's numbers", "[arm64]") {
  const Values jax = golden_file("optimizers");
  for (const auto& [spec, name] :
       {std::pair{"sgd", "sgd_0.1"}, {"momentum", "momentum_0.01"}, {"adam", "adam_0.001"}}) {
    INFO(spec);
    const Values ours = traced(spec, replay("optimizers") + "steps=50 seed=0");
    // 50 steps, each with round-off of 2e-7 in the loss.
    CHECK(largest(ours, "losses", jax, std::string(name) + "_losses") < 1e-5);
    CHECK(relative(ours, jax, "final_", std::string(name) + "_final_") < 1e-5);
  }
  const Values faster = traced("adam", replay("optimizers") + "steps=50 optimizer.learning_rate=0.01");
  CHECK(largest(faster, "losses", jax, "adam_0.01_losses") < 5e-5);
}

TEST_CASE("the learned optimizer gives JAX's numbers") {
  const Values jax = golden_file("learned_mlp");
  for (int j = 0; j < 5; ++j) {
    INFO("seed " << j);
    const std::string seed = std::to_string(j);
    const Values ours =
        traced("random_optimizer", replay("learned_mlp") + "steps=10 seed=" + seed + " theta_seeds=[" + seed + "]");
    CHECK(largest(ours, "losses", jax, "init" + seed + "_losses") < 1e-5);
  }
  for (int steps = 1; steps <= 2; ++steps) {
    const std::string name = "step" + std::to_string(steps) + "_param_";
    const Values ours =
        traced("random_optimizer", replay("learned_mlp") + "theta_seeds=[0] steps=" + std::to_string(steps));
    CHECK(relative(ours, jax, "final_", name) < 1e-6);
  }
}

TEST_CASE("keeping every √n-th state gives the same bits") {
  for (const char* spec : {"full_gradient", "truncated_gradient"}) {
    INFO(spec);
    // 14 steps in problems of 9: states are kept, restored from kept ones, and restored from a restart.
    const std::string length = std::string(spec) == "full_gradient" ? "" : " estimator.problem_length=9";
    const std::string arguments =
        " steps=3 apply=null estimator.tasks=3 task.batch_size=32 'task.hidden=[20]' estimator.unroll_length=14" +
        length;
    const Values kept = traced(spec, arguments),
                 recomputed = traced(spec, arguments + " estimator.recompute_states=true");
    REQUIRE(recomputed.paths() == kept.paths());
    CHECK(recomputed.leaves() == kept.leaves());
  }
}

TEST_CASE("the same bits for any number of threads") {
  for (const char* spec :
       {"full_gradient", "full_gradient_vectorized", "full_es", "truncated_gradient", "truncated_es", "pes"}) {
    const std::string arguments = " steps=3 apply=null estimator.tasks=5 task.batch_size=32 'task.hidden=[20]'";
    const Values one = traced(spec, arguments + " --threads 1");
    for (const char* threads : {"2", "3", "7"}) {
      INFO(spec << " with " << threads << " threads");
      const Values more = traced(spec, arguments + " --threads " + threads);
      REQUIRE(more.paths() == one.paths());
      CHECK(more.leaves() == one.leaves());
    }
  }
}
