// Many ranks on a network that is not there: the exchanges of a meta-training as they are, between threads that each
// have a clock of their own. A message leaves when its sender's clock has come so far, and arrives after a latency and
// the time that its bytes take; who waits for it, waits until then. So a step of a thousand ranks is simulated message
// by message, in any order in which the threads happen to run.
//
// Prints a JSON object: a step's time, how much of it is exchange, messages and bytes of the rank that sends most, and
// what part of the time is left for steps where ranks die.
#include "data/json.h"
#include "estimate/shard.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <random>
#include <thread>

using namespace lopt;

namespace {

struct Network {
  double latency = 10e-6;   // seconds
  double bandwidth = 10e9;  // bytes a second, into and out of a rank
  double overhead = 1e-6;   // seconds of a rank's processor for each message that it sends or takes
  double handling = 1e-9;   // seconds a byte that a rank takes: unpacking and adding up
  double turn = 0;          // seconds until a rank has its turn, where several share a processor: for each of them
  double cores = 0;         // processors of all ranks together; 0: each has its own
};

struct Letter {
  std::vector<std::byte> bytes;
  double arrives;  // seconds, its first byte
};

/// What the ranks share.
struct Post {
  struct Box {
    std::mutex mutex;
    std::condition_variable arrived;
    std::map<int, std::deque<Letter>> from;
  };
  explicit Post(int ranks) : boxes(static_cast<std::size_t>(ranks)) {}
  std::deque<Box> boxes;
};

class SimulatedRank final : public Communicator {
 public:
  SimulatedRank(const Network& network, Post& post, int rank) : network_(network), post_(post), rank_(rank) {
    if (network_.cores > 0 && size() > network_.cores) sharing_ = size() / network_.cores;
  }
  int rank() const override { return rank_; }
  int size() const override { return static_cast<int>(post_.boxes.size()); }
  Traffic traffic() const override { return traffic_; }
  bool has_message(int) override { return true; }  // it waits for what is to come
  double clock() const { return clock_; }
  void compute(double seconds) { clock_ += seconds * sharing_; }

  void send(int to, std::span<const std::byte> bytes) override {
    ++traffic_.messages;
    traffic_.bytes += bytes.size();
    clock_ += network_.overhead;
    leaves_ = std::max(leaves_, clock_) + static_cast<double>(bytes.size()) / network_.bandwidth;
    Post::Box& box = post_.boxes[static_cast<std::size_t>(to)];
    const std::scoped_lock lock(box.mutex);
    box.from[rank_].push_back({{bytes.begin(), bytes.end()}, leaves_ + network_.latency});
    box.arrived.notify_all();
  }
  std::vector<std::byte> receive(int from, double) override {
    Post::Box& box = post_.boxes[static_cast<std::size_t>(rank_)];
    std::unique_lock lock(box.mutex);
    std::deque<Letter>& letters = box.from[from];
    box.arrived.wait(lock, [&] { return !letters.empty(); });
    Letter letter = std::move(letters.front());
    letters.pop_front();
    lock.unlock();
    const auto size = static_cast<double>(letter.bytes.size());
    // What several send at once comes in one after the other.
    comes_ = std::max(comes_ + size / network_.bandwidth, letter.arrives);
    const double before = clock_;
    clock_ = std::max(clock_, comes_ + (sharing_ > 1 ? network_.turn * sharing_ : 0));
    traffic_.waited += clock_ - before;
    clock_ += network_.overhead + size * network_.handling;
    return std::move(letter.bytes);
  }

 private:
  const Network& network_;
  Post& post_;
  int rank_;
  double sharing_ = 1;  // ranks a processor
  double clock_ = 0, leaves_ = 0, comes_ = 0;
  Traffic traffic_;
};

struct Model {
  int ranks = 1000, weights = 450, steps = 30, members = 1;
  double step = 0.050;    // seconds that a rank computes in a step
  double jitter = 0.01;   // standard deviation of that, relative
  double state = 5e6;     // bytes of a rank's inner problems
  double every = 10;      // seconds between two checkpoints
  double deaths = 1;      // of any rank, an hour
  double noticing = 20;   // seconds until a death is noticed
  double beginning = 10;  // seconds until all ranks run again
  double reading = 1e9;   // bytes a second at which rank 0 reads a checkpoint
  Network network;
};

ShardSum made_up(const Model& s) {
  ShardSum sum;
  sum.gradient = Values{{"theta", Array(DType::float32, {s.weights})}};
  for (int member = 0; member < s.members; ++member) sum.members[static_cast<std::uint32_t>(member)] = {1, 1};
  return sum;
}

struct Result {
  double step = 0, waited = 0, checkpoint = 0;
  Traffic most;
};

/// Steps of all ranks, and at the end a checkpoint.
Result simulated(const Model& s) {
  const ShardLayout layout{s.ranks, s.ranks};
  Post post(s.ranks);
  std::mutex mutex;
  Result result;
  std::vector<std::thread> threads;
  for (int rank = 0; rank < s.ranks; ++rank)
    threads.emplace_back([&, rank] {
      SimulatedRank me(s.network, post, rank);
      std::mt19937 random(static_cast<unsigned>(rank));
      std::normal_distribution<double> spread(1, s.jitter);
      for (int step = 0; step < s.steps; ++step) {
        me.compute(s.step * std::max(0.0, spread(random)));
        static_cast<void>(mean_of_shards(&me, layout, {made_up(s)}));
        static_cast<void>(most(me, 0));
      }
      const double end = me.clock();
      const Traffic sent = me.traffic();
      // States are as large as they are said to be only for the clock.
      static_cast<void>(shards_of_others(me, layout, [&](int) { return std::string(1, 's'); }));
      const std::scoped_lock lock(mutex);
      result.step = std::max(result.step, end / s.steps);
      result.waited = std::max(result.waited, sent.waited / s.steps);
      result.checkpoint = std::max(result.checkpoint, me.clock() - end);
      result.most.messages = std::max(result.most.messages, sent.messages);
      result.most.bytes = std::max(result.most.bytes, sent.bytes);
    });
  for (std::thread& thread : threads) thread.join();
  result.checkpoint += s.state * (s.ranks - 1) / s.network.bandwidth;
  result.most.messages /= static_cast<std::uint64_t>(s.steps);
  result.most.bytes /= static_cast<std::uint64_t>(s.steps);
  return result;
}

/// What part of a thousand hours is left for steps that count: checkpoints, and deaths that come at any moment, after
/// each of which all begin again from the last checkpoint and make the steps since then once more.
double share_of_steps(const Model& s, const Result& r) {
  const double end = 1000 * 3600;
  std::mt19937 random(1);
  std::exponential_distribution<double> life(s.deaths / 3600);
  double clock = 0, useful = 0, since_checkpoint = 0, death = s.deaths > 0 ? life(random) : INFINITY;
  while (clock < end) {
    const double checkpoint = clock + (s.every - since_checkpoint);
    if (death < checkpoint) {
      useful += death - clock;
      const double lost = std::min(since_checkpoint + death - clock, s.every);
      clock = death + s.noticing + s.beginning + s.state * s.ranks / s.reading +
              s.state * (s.ranks - 1) / s.network.bandwidth + lost;
      since_checkpoint = lost;
      death = clock + life(random);
      continue;
    }
    useful += checkpoint - clock;
    clock = checkpoint + r.checkpoint;
    since_checkpoint = 0;
  }
  return useful / clock;
}

/// What it costs this processor to take in a byte of a neighbour's sum.
double measured_handling() {
  Model s;
  s.weights = 1 << 18;
  const ShardSum a = made_up(s), b = made_up(s);
  double best = INFINITY;
  for (int run = 0; run < 10; ++run) {
    const auto start = std::chrono::steady_clock::now();
    const std::vector<std::byte> bytes = encoded(b);
    ShardSum sum = decoded(bytes, a.gradient);
    sum += a;
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    best = std::min(best, seconds / static_cast<double>(bytes.size()));
  }
  return best;
}

}  // namespace

int main(int argc, char** argv) {
  Model s;
  s.network.handling = measured_handling();
  double ranks = s.ranks, weights = s.weights, steps = s.steps, members = s.members;
  const std::map<std::string, double*> settings{{"ranks", &ranks},
                                                {"weights", &weights},
                                                {"steps", &steps},
                                                {"members", &members},
                                                {"step", &s.step},
                                                {"jitter", &s.jitter},
                                                {"state", &s.state},
                                                {"every", &s.every},
                                                {"deaths", &s.deaths},
                                                {"noticing", &s.noticing},
                                                {"beginning", &s.beginning},
                                                {"reading", &s.reading},
                                                {"latency", &s.network.latency},
                                                {"bandwidth", &s.network.bandwidth},
                                                {"overhead", &s.network.overhead},
                                                {"handling", &s.network.handling},
                                                {"turn", &s.network.turn},
                                                {"cores", &s.network.cores}};
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i], name = word.substr(0, word.find('='));
    const auto setting = settings.find(name);
    if (setting == settings.end() || name.size() == word.size()) {
      std::string known;
      for (const auto& one : settings) known += fmt::format(" {}={}", one.first, *one.second);
      fmt::print(stderr, "usage: lopt-model-ranks [NAME=VALUE …]; seconds, bytes:{}\n", known);
      return 2;
    }
    *setting->second = std::strtod(word.c_str() + name.size() + 1, nullptr);
  }
  s.ranks = static_cast<int>(ranks);
  s.weights = static_cast<int>(weights);
  s.steps = static_cast<int>(steps);
  s.members = static_cast<int>(members);
  const Result result = simulated(s);
  const double left = share_of_steps(s, result);
  fmt::print("{}\n", to_text(Json{{"ranks", s.ranks},
                                  {"step", result.step},
                                  {"exchange", result.step - s.step},
                                  {"waited", result.waited},
                                  {"checkpoint", result.checkpoint},
                                  {"messages", result.most.messages},
                                  {"bytes", result.most.bytes},
                                  {"share_of_steps", left},
                                  {"weak_scaling", s.step / result.step * left},
                                  {"handling", s.network.handling}}));
}
