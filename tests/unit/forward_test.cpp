// Forward mode through unrolls, and gradients by lane: against each other and against the exact gradient.
#include "learn/meta_training.h"
#include "registry/registry.h"

#include "catch.h"

#include <cmath>

using namespace lopt;

namespace {

struct Problem {
  Registry registry;
  Experiment experiment;
  MetaTraining training;

  static Registry plugins() {
    Registry registry;
    registry.add_path(LOPT_BINARY "/lib/lopt/plugins", "the test", true);
    return registry;
  }
  explicit Problem(const std::string& rule, const std::string& estimator = "pes", int threads = 1)
      : registry(plugins()),
        experiment(load_experiment(
            parse_spec("steps: 4\ntask: {plugin: mlp_classifier, hidden: [5], batch_size: 8}\nlearned_optimizer: " +
                           rule + "\nestimator: " + estimator + "\nmeta_optimizer: sgd\n",
                       "test"),
            registry)),
        training(experiment, threads) {}

  const LaneUnroller& unroller() const { return training.unroller(); }
  std::vector<Lane> start(int tasks) const {
    std::vector<LaneStart> starts;
    for (HostKey key : task_keys(HostKey::from_seed(3), tasks))
      starts.push_back({training.theta(), key, static_cast<std::uint32_t>(starts.size())});
    return unroller().start(starts);
  }
};

std::vector<LaneDirections> directions_of(const Values& theta, int tasks, int count) {
  std::vector<LaneDirections> result(static_cast<std::size_t>(tasks));
  for (std::size_t task = 0; task < result.size(); ++task)
    for (int d = 0; d < count; ++d)
      result[task].now.push_back(normal_like(HostKey::from_seed(100 * task + static_cast<std::uint64_t>(d)), theta, 1));
  return result;
}

const std::vector<std::string> rules{"learnable_adam", "{plugin: per_parameter_mlp, hidden: 4}", "{plugin: nn_adam}"};

}  // namespace

TEST_CASE("forward: slopes along directions are the exact gradient's, through segments and restarts") {
  for (const std::string& rule : rules) {
    INFO(rule);
    const Problem problem(rule);
    const Values theta = problem.training.theta();
    constexpr int tasks = 3, count = 6, steps = 8;
    UnrollOptions options;
    options.steps = steps;
    options.problem_length = 5;
    const std::vector<Lane> lanes = problem.start(tasks);
    const std::vector<Values> thetas(tasks, theta);
    LaneGradients gradients;
    const Unrolled expected =
        problem.unroller().unroll_with_lane_gradients(lanes, thetas, options, true, {}, gradients);
    const std::vector<LaneDirections> directions = directions_of(theta, tasks, count);
    UnrollOptions half = options;
    half.steps = steps / 2;
    Slopes first, second;
    const Unrolled before = problem.unroller().unroll_with_tangents(
        lanes, theta, half, {.directions = directions, .from_start = true}, first);
    const Unrolled after =
        problem.unroller().unroll_with_tangents(before.lanes, theta, half, {.directions = directions}, second);
    for (std::size_t task = 0; task < tasks; ++task) {
      for (std::size_t step = 0; step < steps / 2; ++step) {
        CHECK(before.losses[task * steps / 2 + step] == expected.losses[task * steps + step]);
        CHECK(after.losses[task * steps / 2 + step] == expected.losses[task * steps + steps / 2 + step]);
      }
      for (std::size_t d = 0; d < count; ++d) {
        double slope = 0;
        for (std::size_t step = 0; step < steps / 2; ++step)
          for (const Slopes* part : {&first, &second})
            slope += static_cast<double>(part->losses[(task * steps / 2 + step) * count + d]) / steps;
        const double exact = dot(gradients.of_losses[task], directions[task].now[d]);
        CHECK(slope == Approx(exact).epsilon(2e-3).margin(1e-5));
      }
      CHECK(after.lanes[task].state.leaves() == expected.lanes[task].state.leaves());
    }
  }
}

TEST_CASE("forward: a tangent for every weight gives the exact gradient, and the mean of lanes' gradients is it too") {
  const Problem problem("{plugin: per_parameter_mlp, hidden: 4}");
  const Values theta = problem.training.theta();
  constexpr int tasks = 2;
  UnrollOptions options;
  options.steps = 5;
  const std::vector<Lane> lanes = problem.start(tasks);
  Values exact = zeros_like(theta);
  problem.unroller().unroll_with_gradient(lanes, theta, options, true, exact);
  LaneGradients own;
  problem.unroller().unroll_with_lane_gradients(lanes, std::vector<Values>(tasks, theta), options, true, {}, own);
  Slopes slopes;
  problem.unroller().unroll_with_tangents(lanes, theta, options, {.every_weight = true, .from_start = true}, slopes);
  std::size_t weights = 0;
  for (const Array& leaf : theta.leaves()) weights += leaf.size();
  REQUIRE(slopes.losses.size() == weights * tasks * 5);
  std::size_t weight = 0;
  double largest = 0;
  for (const Array& leaf : exact.leaves())
    for (float x : leaf.values<float>()) largest = std::max(largest, std::abs(static_cast<double>(x)));
  for (std::size_t leaf = 0; leaf < exact.leaf_count(); ++leaf)
    for (std::size_t k = 0; k < exact.leaves()[leaf].size(); ++k, ++weight) {
      double forward = 0, by_lane = 0;
      for (std::size_t row = 0; row < tasks * 5; ++row)
        forward += static_cast<double>(slopes.losses[row * weights + weight]) / (tasks * 5);
      for (const Values& gradient : own.of_losses)
        by_lane += static_cast<double>(gradient.leaves()[leaf].values<float>()[k]) / tasks;
      const auto expected = static_cast<double>(exact.leaves()[leaf].values<float>()[k]);
      CHECK(forward == Approx(expected).margin(1e-4 * largest));
      CHECK(by_lane == Approx(expected).margin(1e-5 * largest));
    }
}

TEST_CASE("forward: signs of the last state go back to what their tangents come from") {
  const bool recompute = GENERATE(false, true);
  const Problem problem("learnable_adam");
  const Values theta = problem.training.theta();
  constexpr int tasks = 2;
  for (const int steps : {0, 6}) {
    INFO(steps << " steps");
    UnrollOptions options;
    options.steps = steps;
    options.recompute_states = recompute;
    options.problem_length = 4;
    const std::vector<Lane> lanes = problem.start(tasks);
    const std::vector<HostKey> signs = task_keys(HostKey::from_seed(8), tasks);
    LaneGradients own, plain;
    problem.unroller().unroll_with_lane_gradients(lanes, std::vector<Values>(tasks, theta), options, true, signs, own);
    problem.unroller().unroll_with_lane_gradients(lanes, std::vector<Values>(tasks, theta), options, true, {}, plain);
    const std::vector<LaneDirections> directions = directions_of(theta, tasks, 1);
    Slopes slopes;
    const Unrolled forward = problem.unroller().unroll_with_tangents(
        lanes, theta, options, {.directions = directions, .from_start = true}, slopes);
    for (std::size_t task = 0; task < tasks; ++task) {
      const ScaledSigns nu = scaled_signs(signs[task], forward.lanes[task].state);
      const double along = dot(nu.cotangent, forward.lanes[task].tangents[0]);
      CHECK(dot(own.of_states[task], directions[task].now[0]) == Approx(along).epsilon(1e-3).margin(1e-5));
      CHECK(own.of_losses[task].leaves() == plain.of_losses[task].leaves());
      CHECK(static_cast<double>(own.sign_norms[task]) == Approx(std::sqrt(dot(nu.tangent, nu.tangent))));
      CHECK(static_cast<double>(slopes.norms[task]) ==
            Approx(std::sqrt(dot(forward.lanes[task].tangents[0], forward.lanes[task].tangents[0]))));
    }
  }
}

TEST_CASE("forward: the same bits for any number of threads, and as often as one goes on from a state") {
  for (const std::string estimator :
       {"{plugin: rtrl, tasks: 3, unroll_length: 3, problem_length: 7}",
        "{plugin: forward_gradient, tasks: 5, unroll_length: 3, problem_length: 7, directions: 2}",
        "{plugin: forward_gradient, tasks: 5, unroll_length: 3, through: problems}",
        "{plugin: uoro, tasks: 5, unroll_length: 3, problem_length: 7}",
        "{plugin: pes_with_gradient, tasks: 5, unroll_length: 3, problem_length: 7}"}) {
    INFO(estimator);
    std::vector<std::vector<Array>> thetas;
    for (const int threads : {1, 2, 8}) {
      Problem problem("learnable_adam", estimator, threads);
      for (int step = 0; step < 5; ++step) static_cast<void>(problem.training.step());
      Problem other("learnable_adam", estimator, threads);
      other.training.restore(problem.training.checkpoint());
      for (int step = 0; step < 3; ++step) {
        static_cast<void>(problem.training.step());
        static_cast<void>(other.training.step());
      }
      CHECK(problem.training.theta().leaves() == other.training.theta().leaves());
      thetas.push_back(problem.training.theta().leaves());
    }
    CHECK(thetas[0] == thetas[1]);
    CHECK(thetas[0] == thetas[2]);
  }
}

TEST_CASE("forward: RTRL for more weights than memory holds is refused with the numbers") {
  const Problem problem("learnable_adam");
  CHECK_THROWS_WITH(
      problem.unroller().require_memory_for(1'000'000'000, 16),
      lopt::test::Contains("1000000000 directions in each of 16 inner problems") && lopt::test::Contains("GB"));
}
