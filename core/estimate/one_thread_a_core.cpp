#include "estimate/one_thread_a_core.h"

#include "estimate/handover.h"

namespace lopt {

OneThreadACore::OneThreadACore(tbb::task_arena& arena, int threads) : tbb::task_scheduler_observer(arena) {
  CPU_ZERO(&all_);
  if (sched_getaffinity(0, sizeof all_, &all_) != 0 || CPU_COUNT(&all_) != threads || threads < 2) return;
  for (int processor = 0; processor < CPU_SETSIZE; ++processor)
    if (CPU_ISSET(processor, &all_)) processors_.push_back(processor);
  hand_over();
  observe(true);
}
OneThreadACore::~OneThreadACore() {
  observe(false);  // when it returns, no thread is in the two functions below
  take_over();
}

void OneThreadACore::on_scheduler_entry(bool) {
  const TakenWork taken;
  const int slot = tbb::this_task_arena::current_thread_index();
  if (slot < 0 || slot >= static_cast<int>(processors_.size())) return;
  cpu_set_t mine;
  CPU_ZERO(&mine);
  CPU_SET(processors_[static_cast<std::size_t>(slot)], &mine);
  static_cast<void>(sched_setaffinity(0, sizeof mine, &mine));  // a wish: without it all works, slower
}
void OneThreadACore::on_scheduler_exit(bool) {
  const TakenWork taken;
  static_cast<void>(sched_setaffinity(0, sizeof all_, &all_));
}

}  // namespace lopt
