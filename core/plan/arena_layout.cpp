#include "plan/kernel_buffers.h"
#include "plan/scratch.h"

#include <map>

namespace lopt {
namespace {

/// The buffers that a kernel reads or writes.
std::vector<BufferId> touched(const Kernel& kernel) {
  return std::visit(
      []<class K>(const K& k) {
        if constexpr (std::is_same_v<K, Region>) {
          return buffers_of(k);
        } else {
          std::vector<BufferId> result = reads_of(k);
          const std::vector<BufferId> written = writes_of(k);
          result.insert(result.end(), written.begin(), written.end());
          return result;
        }
      },
      kernel);
}

}  // namespace

void place_arena(Plan& plan) {
  constexpr std::size_t line = 64;
  std::map<BufferId, std::size_t> last_use;
  for (std::size_t i = 0; i < plan.kernels.size(); ++i)
    for (BufferId buffer : touched(plan.kernels[i])) last_use[buffer] = i;
  SpanAllocator arena;
  std::vector<bool> placed(plan.buffers.size(), false);
  auto lines_of = [&](BufferId buffer) {
    return (plan.buffers[buffer].size * 4 + line - 1) / line + 1;
  };  // one more: kernels read whole vectors
  for (std::size_t i = 0; i < plan.kernels.size(); ++i) {
    const std::vector<BufferId> buffers = touched(plan.kernels[i]);
    for (BufferId buffer : buffers)
      if (plan.buffers[buffer].place == Buffer::Place::arena && !placed[buffer]) {
        plan.buffers[buffer].offset = arena.take(lines_of(buffer)) * line;
        placed[buffer] = true;
      }
    for (BufferId buffer : buffers)
      if (plan.buffers[buffer].place == Buffer::Place::arena && last_use[buffer] == i) {
        arena.give_back(plan.buffers[buffer].offset / line, lines_of(buffer));
        last_use[buffer] = plan.kernels.size();
      }
  }
  plan.arena_bytes = arena.high_water() * line;
}

}  // namespace lopt
