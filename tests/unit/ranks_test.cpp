// Lanes and shards shared among ranks that are threads of this process: the same bits as alone, and little that
// travels.
#include "learn/meta_training.h"
#include "learn/training.h"
#include "registry/registry.h"

#include "catch.h"
#include "thread_ranks.h"

#include <bit>
#include <set>

using namespace lopt;

namespace {

Experiment experiment_of(const std::string& estimator, int hidden, const std::string& more = "") {
  Registry registry;
  registry.add_path(LOPT_BINARY "/lib/lopt/plugins", "the test", true);
  return load_experiment(parse_spec("steps: 4\ntask: {plugin: mlp_classifier, hidden: [" + std::to_string(hidden) +
                                        "], batch_size: 8}\nlearned_optimizer: {plugin: per_parameter_mlp, hidden: 4}\n"
                                        "estimator: " +
                                        estimator + "\nmeta_optimizer: {plugin: adam, learning_rate: 0.01}\n" + more,
                                    "test"),
                         registry);
}

struct Result {
  std::string checkpoint;      // rank 0's, after the last step
  std::uint64_t sent_in_step;  // bytes, by the last rank
  Traffic most;                // the most that a rank sent in a step
  /// A checkpoint ends with its SHA-256.
  std::string hash() const { return checkpoint.substr(checkpoint.size() - 64); }
};

Result trained(const Experiment& experiment, int ranks, const std::string& from = "") {
  Result result{};
  std::mutex mutex;
  on_threads(ranks, [&](Communicator& communicator) {
    const auto training = std::make_unique<MetaTraining>(experiment, 1, ranks > 1 ? &communicator : nullptr);
    if (!from.empty())
      training->restore(decode_checkpoint({reinterpret_cast<const std::uint8_t*>(from.data()), from.size()}, "it"));
    while (training->steps_done() < experiment.steps) {
      const Traffic before = communicator.traffic();
      static_cast<void>(training->step());
      const Traffic after = communicator.traffic();
      if (communicator.rank() == ranks - 1) result.sent_in_step = after.bytes - before.bytes;
      const std::scoped_lock lock(mutex);
      result.most.bytes = std::max(result.most.bytes, after.bytes - before.bytes);
      result.most.messages = std::max(result.most.messages, after.messages - before.messages);
    }
    const Checkpoint checkpoint = training->checkpoint();
    if (communicator.rank() == 0) result.checkpoint = encode_checkpoint(checkpoint);
  });
  return result;
}

const std::vector<std::string> estimators{"{plugin: full_gradient, tasks: 5, unroll_length: 3}",
                                          "{plugin: full_es, tasks: 5, unroll_length: 3}",
                                          "{plugin: truncated_gradient, tasks: 5, unroll_length: 3, problem_length: 7}",
                                          "{plugin: truncated_es, tasks: 5, unroll_length: 3, problem_length: 7}",
                                          "{plugin: pes, tasks: 5, unroll_length: 3, problem_length: 7}",
                                          "{plugin: pes_with_gradient, tasks: 5, unroll_length: 3, problem_length: 7}",
                                          "{plugin: forward_gradient, tasks: 5, unroll_length: 3, problem_length: 7}",
                                          "{plugin: uoro, tasks: 5, unroll_length: 3, problem_length: 7}",
                                          "{plugin: rtrl, tasks: 3, unroll_length: 3, problem_length: 7}",
                                          "{plugin: guided_es, tasks: 5, unroll_length: 3}"};

}  // namespace

TEST_CASE("ranks: every estimator gives the same bits for any number of them, and goes on with another number") {
  for (const std::string& estimator : estimators) {
    INFO(estimator);
    Experiment experiment = experiment_of(estimator, 4);
    const Result alone = trained(experiment, 1);
    for (int ranks : {2, 3, 4}) {
      INFO(ranks << " ranks");
      CHECK(trained(experiment, ranks).hash() == alone.hash());
    }
    experiment.steps = 2;
    const std::string half = trained(experiment, 3).checkpoint;
    experiment.steps = 4;
    CHECK(trained(experiment, 2, half).hash() == alone.hash());
    CHECK(trained(experiment, 1, half).hash() == alone.hash());
  }
}

TEST_CASE("ranks: with evolution strategies, what travels does not grow with the parameters") {
  for (const char* estimator :
       {"{plugin: full_es, tasks: 8}", "{plugin: truncated_es, tasks: 8}", "{plugin: pes, tasks: 8}"}) {
    const std::uint64_t small = trained(experiment_of(estimator, 4), 2).sent_in_step,
                        large = trained(experiment_of(estimator, 64), 2).sent_in_step;
    CHECK(small == large);
    CHECK(small < 1000);
  }
}

TEST_CASE("shards: the same bits for any number of ranks, fewer or more than shards, and when going on with others") {
  for (const std::string& estimator : estimators) {
    INFO(estimator);
    Experiment experiment = experiment_of(estimator, 4, "shards: 3\n");
    const Result alone = trained(experiment, 1);
    for (int ranks : {2, 3, 4, 5, 7}) {
      INFO(ranks << " ranks");
      CHECK(trained(experiment, ranks).hash() == alone.hash());
    }
    experiment.steps = 2;
    const std::string half = trained(experiment, 5).checkpoint;
    experiment.steps = 4;
    for (int ranks : {1, 2, 4}) CHECK(trained(experiment, ranks, half).hash() == alone.hash());
  }
}

TEST_CASE("ranks: rank 0 knows which members of a family had which losses, whoever stepped them") {
  Registry registry;
  registry.add_path(LOPT_BINARY "/lib/lopt/plugins", "the test", true);
  const Experiment experiment = load_experiment(
      parse_spec("steps: 3\ntask_family: {plugin: mixture, tasks: [{plugin: quadratic, dimensions: 2}, {plugin: "
                 "quadratic, dimensions: 5}, {plugin: quadratic, dimensions: 9}]}\nlearned_optimizer: {plugin: "
                 "per_parameter_mlp, hidden: 4}\nestimator: {plugin: pes, tasks: 6, unroll_length: 3, problem_length: "
                 "4}\nmeta_optimizer: {plugin: adam, learning_rate: 0.01}\n",
                 "test"),
      registry);
  using Members = std::vector<std::map<std::uint32_t, double>>;
  const auto members = [&](int ranks) {
    Members found;
    on_threads(ranks, [&](Communicator& communicator) {
      MetaTraining training(experiment, 1, ranks > 1 ? &communicator : nullptr);
      while (training.steps_done() < experiment.steps) {
        std::map<std::uint32_t, double> losses = training.step().member_losses;
        if (communicator.rank() == 0) found.push_back(std::move(losses));
      }
    });
    return found;
  };
  const Members alone = members(1);
  CHECK(alone[0].size() > 1);
  CHECK(members(3) == alone);
}

TEST_CASE("shards: their meta-gradient is the mean of what each would find alone, on batches and noise of its own") {
  const std::string pes = "{plugin: pes, tasks: 4, unroll_length: 3, problem_length: 7}";
  const Experiment one = experiment_of(pes, 4), three = experiment_of(pes, 4, "shards: 3\n");
  MetaTraining alone(one, 1), together(three, 1);
  const HostKey key = alone.key();
  Values mean = zeros_like(alone.theta());
  double loss = 0;
  std::set<float> losses;
  for (int shard = 0; shard < 3; ++shard) {
    const ShardUnroller unroller(alone.unroller(), shard);
    EstimatorState state = one.estimator->init(alone.theta(), shard_key(key, shard, 3), unroller);
    const Estimate own = one.estimator->estimate(alone.theta(), shard_key(split(key)[0], shard, 3), state, unroller);
    losses.insert(own.loss);
    add_scaled(mean, 1.0F / 3, own.gradient);
    loss += static_cast<double>(own.loss) / 3;
  }
  CHECK(losses.size() == 3);
  const MetaStep step = together.step();
  CHECK(static_cast<double>(step.loss) == Approx(loss));
  add_scaled(mean, -1, step.gradient);
  CHECK(dot(mean, mean) < 1e-10 * dot(step.gradient, step.gradient));
}

TEST_CASE("shards: a rank sends a few messages of θ's size a step, however many ranks and tasks there are") {
  for (const int ranks : {2, 8, 16}) {
    const Experiment experiment =
        experiment_of("{plugin: pes, tasks: 2, unroll_length: 3}", 4, "shards: " + std::to_string(2 * ranks) + "\n");
    const Traffic most = trained(experiment, ranks).most;
    std::size_t weights = 0;
    for (const Array& leaf : initial_theta(*experiment.learned_optimizer, 0).leaves()) weights += leaf.size();
    const auto levels = static_cast<std::uint64_t>(std::bit_width(static_cast<unsigned>(ranks - 1)));
    CHECK(most.messages <= 1 + levels);
    CHECK(most.bytes <= (1 + levels) * (4 * weights + 100));
  }
}

TEST_CASE("collectives: what each rank is to get, for any number of ranks") {
  for (int size = 1; size <= 9; ++size) {
    INFO(size << " ranks");
    std::mutex mutex;  // Catch is for one thread
    std::vector<std::string> wrong;
    on_threads(size, [&](Communicator& ranks) {
      const auto expect = [&](bool holds, const std::string& what) {
        const std::scoped_lock lock(mutex);
        if (!holds) wrong.push_back(what + " at rank " + std::to_string(ranks.rank()));
      };
      const std::string own(static_cast<std::size_t>(3 * ranks.rank()), static_cast<char>('a' + ranks.rank()));
      expect(from_rank_0(ranks, ranks.rank() == 0 ? "of rank 0" : own) == "of rank 0", "broadcast");
      const std::vector<std::string> texts = texts_of_all(ranks, own);
      expect(
          texts.size() == static_cast<std::size_t>(size) && texts[static_cast<std::size_t>(ranks.rank())] == own &&
              texts.back() == std::string(static_cast<std::size_t>(3 * (size - 1)), static_cast<char>('a' + size - 1)),
          "all_gather");
      expect(gather(ranks, bytes_of(own)).size() == (ranks.rank() == 0 ? static_cast<std::size_t>(size) : 0), "gather");
      expect(most(ranks, 10 - ranks.rank()) == 10 && most(ranks, ranks.rank()) == size - 1, "most");
      expect(total(ranks, ranks.rank()) == size * (size - 1) / 2, "total");
      // Parts dealt out to ranks: all of them in one sum, whose order does not depend on who has them.
      for (const std::size_t parts : {std::size_t{1}, std::size_t{5}, std::size_t{23}}) {
        const ShardLayout layout{static_cast<int>(parts), size};
        const auto sum =
            sum_in_a_tree(ranks, {parts, [&](std::size_t part) { return layout.leader_of(static_cast<int>(part)); }},
                          {[](std::size_t part) { return std::vector<std::byte>{static_cast<std::byte>('A' + part)}; },
                           [](std::vector<std::byte>& left, const std::vector<std::byte>& right) {
                             left.insert(left.begin(), static_cast<std::byte>('('));
                             left.insert(left.end(), right.begin(), right.end());
                             left.push_back(static_cast<std::byte>(')'));
                           }});
        expect(sum.has_value() == (ranks.rank() == 0), "who has the sum");
        if (sum && parts == 5) expect(text_of(*sum) == "(((AB)C)(DE))", "sum " + text_of(*sum));
        if (sum)
          expect(std::ranges::count_if(text_of(*sum), [](char c) { return c >= 'A'; }) == static_cast<int>(parts),
                 "all parts");
      }
    });
    CHECK(wrong == std::vector<std::string>());  // NOLINT(readability-container-size-empty): a failure shows them
  }
}
