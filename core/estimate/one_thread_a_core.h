#pragma once
#include <tbb/task_arena.h>
#include <tbb/task_scheduler_observer.h>

#include <sched.h>

#include <vector>

namespace lopt {

/// Keeps each thread of a TBB arena on a processor of its own, where the arena has as many threads as there are
/// processors. Otherwise Linux may leave two busy threads on one processor for a tenth of a second, which is longer
/// than many steps.
class OneThreadACore final : public tbb::task_scheduler_observer {
 public:
  OneThreadACore(tbb::task_arena& arena, int threads);
  ~OneThreadACore() override;
  void on_scheduler_entry(bool is_worker) override;
  void on_scheduler_exit(bool is_worker) override;

 private:
  cpu_set_t all_;
  std::vector<int> processors_;
};

}  // namespace lopt
