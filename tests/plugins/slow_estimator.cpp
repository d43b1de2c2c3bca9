// An estimator that does nothing but take its time, for tests of ranks that wait for each other: so many seconds, and
// on one rank so many times as long.
#include <lopt/plugin.h>

#include <chrono>
#include <cstdlib>
#include <thread>

using namespace lopt;

class SlowEstimator final : public GradientEstimator {
 public:
  explicit SlowEstimator(Settings& s)
      : seconds_(s.real("seconds", 0.02).above(0)),
        slow_rank_(s.integer("slow_rank", -1)),
        times_(s.real("times", 5)) {}
  EstimatorState init(const Values& theta, HostKey, const Unroller&) const override {
    return {{}, {{"estimates", zeros_like(theta)}}};
  }
  Estimate estimate(const Values& theta, HostKey, EstimatorState&, const Unroller&) const override {
    const char* rank = std::getenv("OMPI_COMM_WORLD_RANK");
    const bool slow = rank && std::atoi(rank) == slow_rank_;
    std::this_thread::sleep_for(std::chrono::duration<double>(seconds_ * (slow ? times_ : 1)));
    return {1, zeros_like(theta)};
  }

 private:
  double seconds_;
  int slow_rank_;
  double times_;
};

LOPT_PLUGIN(SlowEstimator, "slow_estimator", {.summary = "Takes its time"})
