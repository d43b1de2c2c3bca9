#include "plan/in_place.h"

#include "plan/kernel_buffers.h"
#include "plan/views.h"

#include <algorithm>

namespace lopt {
namespace {

bool is_whole(const View& view, const Buffer& buffer) {
  return view.offset == 0 && view.contiguous() && static_cast<std::size_t>(element_count(view.shape)) == buffer.size;
}

}  // namespace

/// Notes touches as they come in the order of the plan.
struct InPlace::Touches {
  InPlace& result;
  const Plan& plan;

  void read(BufferId id, const Touch& touch) {
    const Buffer& buffer = plan.buffers[id];
    if (buffer.place != Buffer::Place::input) return;
    std::optional<Touch>& last = result.read_[buffer.index];
    const bool differs = last && last->kernel == touch.kernel && last->columns != touch.columns;
    last = touch;
    if (differs) last->columns = 0;
  }
  void write(BufferId id, const Touch& touch) {
    const Buffer& buffer = plan.buffers[id];
    if (buffer.place != Buffer::Place::output) return;
    std::optional<Touch>& first = result.written_[buffer.index];
    if (!first)
      first = touch;
    else if (first->kernel == touch.kernel)
      first->columns = 0;
  }
  void add(const Region& region, std::size_t kernel) {
    for (std::size_t k = 0; k < region.instructions.size(); ++k)
      for_touched(
          region.instructions[k],
          [&](BufferId buffer, std::int64_t columns) {
            read(buffer, {kernel, k, columns});
          },
          [&](BufferId buffer, std::int64_t columns) {
            write(buffer, {kernel, k, columns});
          });
  }
  void add(const Copies& copies, std::size_t kernel) {
    for (std::size_t k = 0; k < copies.list.size(); ++k) {
      const auto& [from, to, elements, contiguous] = copies.list[k];
      const bool all = is_whole(from, plan.buffers[from.buffer]) && is_whole(to, plan.buffers[to.buffer]);
      read(from.buffer, {kernel, k, all ? 1 : 0});
      write(to.buffer, {kernel, k, all ? 1 : 0});
    }
  }
};

InPlace::InPlace(const Plan& plan) : written_(plan.output_types.size()), read_(plan.input_types.size()) {
  const auto sizes = [](const std::vector<Type>& types) {
    std::vector<std::size_t> result;
    for (const Type& type : types) result.push_back(static_cast<std::size_t>(element_count(type.shape)));
    return result;
  };
  output_sizes_ = sizes(plan.output_types);
  input_sizes_ = sizes(plan.input_types);
  Touches touches{*this, plan};
  for (std::size_t kernel = 0; kernel < plan.kernels.size(); ++kernel)
    std::visit(
        [&]<class K>(const K& k) {
          if constexpr (std::is_same_v<K, Region> || std::is_same_v<K, Copies>) {
            touches.add(k, kernel);
          } else {
            for (const BufferId buffer : reads_of(k)) touches.read(buffer, {kernel, 0, 0});
            for (const BufferId buffer : writes_of(k)) touches.write(buffer, {kernel, 0, 0});
          }
        },
        plan.kernels[kernel]);
}

bool InPlace::allows(std::size_t output, std::size_t input) const {
  if (output_sizes_[output] != input_sizes_[input]) return false;
  const std::optional<Touch>&read = read_[input], &written = written_[output];
  if (!written) return false;
  if (!read || read->kernel < written->kernel) return true;
  return read->kernel == written->kernel && read->columns > 0 && read->columns == written->columns &&
         read->instruction <= written->instruction;
}

}  // namespace lopt
