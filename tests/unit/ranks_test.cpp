// Lanes shared among ranks that are threads of this process: the same bits as alone, and little that travels.
#include "learn/meta_training.h"
#include "registry/registry.h"

#include "catch.h"

#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <thread>

using namespace lopt;

namespace {

/// What the ranks share.
struct Table {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::vector<std::byte>> parts;
  std::size_t given = 0, taken = 0;
};

class ThreadRank final : public Communicator {
 public:
  ThreadRank(Table& table, int rank) : table_(table), rank_(rank) {}
  int rank() const override { return rank_; }
  int size() const override { return static_cast<int>(table_.parts.size()); }
  std::uint64_t bytes_sent() const override { return sent_; }
  std::vector<std::byte> gather(std::span<const std::byte> part, std::span<const std::size_t> sizes) override {
    std::vector<std::byte> all = all_gather(part, sizes);
    return rank_ == 0 ? all : std::vector<std::byte>();
  }
  std::vector<std::byte> all_gather(std::span<const std::byte> part, std::span<const std::size_t> sizes) override {
    if (part.size() != sizes[static_cast<std::size_t>(rank_)]) std::abort();  // Catch is for one thread
    std::unique_lock lock(table_.mutex);
    table_.changed.wait(lock, [&] { return table_.taken == 0; });
    table_.parts[static_cast<std::size_t>(rank_)].assign(part.begin(), part.end());
    sent_ += part.size();
    ++table_.given;
    table_.changed.notify_all();
    table_.changed.wait(lock, [&] { return table_.given == table_.parts.size(); });
    std::vector<std::byte> all;
    for (const auto& each : table_.parts) all.insert(all.end(), each.begin(), each.end());
    if (++table_.taken == table_.parts.size()) table_.given = table_.taken = 0;
    table_.changed.notify_all();
    table_.changed.wait(lock, [&] { return table_.taken == 0; });
    return all;
  }

 private:
  Table& table_;
  int rank_;
  std::uint64_t sent_ = 0;
};

Experiment experiment_of(const std::string& estimator, int hidden) {
  Registry registry;
  registry.add_path(LOPT_BINARY "/lib/lopt/plugins", "the test", true);
  return load_experiment(parse_spec("steps: 4\ntask: {plugin: mlp_classifier, hidden: [" + std::to_string(hidden) +
                                        "], batch_size: 8}\nlearned_optimizer: {plugin: per_parameter_mlp, hidden: 4}\n"
                                        "estimator: " +
                                        estimator + "\nmeta_optimizer: {plugin: adam, learning_rate: 0.01}\n",
                                    "test"),
                         registry);
}

struct Result {
  std::string checkpoint;      // rank 0's, after the last step
  std::uint64_t sent_in_step;  // bytes, by the last rank
  /// A checkpoint ends with its SHA-256.
  std::string hash() const { return checkpoint.substr(checkpoint.size() - 64); }
};

Result trained(const Experiment& experiment, int ranks, const std::string& from = "") {
  Table table;
  table.parts.resize(static_cast<std::size_t>(ranks));
  Result result{};
  std::vector<std::thread> threads;
  for (int rank = 0; rank < ranks; ++rank)
    threads.emplace_back([&, rank] {
      ThreadRank communicator(table, rank);
      const auto training = std::make_unique<MetaTraining>(experiment, 1, ranks > 1 ? &communicator : nullptr);
      if (!from.empty())
        training->restore(decode_checkpoint({reinterpret_cast<const std::uint8_t*>(from.data()), from.size()}, "it"));
      while (training->steps_done() < experiment.steps) {
        const std::uint64_t before = communicator.bytes_sent();
        static_cast<void>(training->step());
        if (rank == ranks - 1) result.sent_in_step = communicator.bytes_sent() - before;
      }
      training->gather_lanes();
      if (rank == 0) result.checkpoint = encode_checkpoint(training->checkpoint());
    });
  for (std::thread& thread : threads) thread.join();
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
