#include "plan/plan.h"
#include "plan/scratch.h"

#include <map>

namespace lopt {
namespace {

/// The buffers that a kernel reads or writes.
std::vector<BufferId> touched(const Kernel& kernel) {
  std::vector<BufferId> result;
  std::visit(
      [&]<class K>(const K& k) {
        if constexpr (std::is_same_v<K, Region>) {
          result = buffers_of(k);
        } else if constexpr (std::is_same_v<K, Gemm>) {
          result = {k.a.buffer, k.b.buffer, k.c};
          if (k.has_bias) result.push_back(k.bias.buffer);
          if (k.gate) result.push_back(k.gate->buffer);
        } else if constexpr (std::is_same_v<K, Reduction>) {
          result = {k.from, k.to};
        } else if constexpr (std::is_same_v<K, Copies>) {
          for (const Copies::Copy& copy : k.list) result.insert(result.end(), {copy.from.buffer, copy.to.buffer});
        } else if constexpr (std::is_same_v<K, Fill>) {
          result = {k.to};
        } else if constexpr (std::is_same_v<K, RandomBits>) {
          result = {k.key.buffer, k.to};
        } else if constexpr (std::is_same_v<K, Scan>) {
          for (const View& input : k.inputs) result.push_back(input.buffer);
          result.push_back(k.to);
          result.push_back(k.partial);
        } else {
          result = k.inputs;
          result.push_back(k.to);
        }
      },
      kernel);
  return result;
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
