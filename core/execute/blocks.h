#pragma once
#include <tbb/blocked_range.h>
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

#include <cstddef>

namespace lopt {

/// f(i) for i below count, on the threads of this TBB arena. A thread that waits takes no other lane's work meanwhile:
/// it would find this lane's memory in use.
template <class Function>
void for_blocks(std::size_t count, Function f) {
  tbb::this_task_arena::isolate([&] {
    tbb::parallel_for(
        tbb::blocked_range<std::size_t>(0, count, 1), [&](const auto& range) { f(range.begin()); },
        tbb::simple_partitioner());
  });
}

}  // namespace lopt
