#include "plan/cost.h"

#include "kernels/kernels.h"
#include "plan/kernel_buffers.h"

#include <fmt/format.h>

#include <set>

namespace lopt {
namespace {

double real(std::int64_t n) { return static_cast<double>(n); }

double flop_of(const TileInstruction& i, double rows) {
  using Kind = TileInstruction::Kind;
  double flop = 0;
  switch (i.kind) {
    case Kind::elementwise: return rows * real(i.columns);
    case Kind::column_reduction: return rows * real(i.inner);
    case Kind::row_sum:
    case Kind::row_max: return rows * real(i.columns);
    case Kind::outer: return 2 * rows * real(i.columns) * real(i.inner);
    case Kind::dense:
    case Kind::chain:
      for (const DenseLayer& layer : i.layers) flop += 2 * rows * real(layer.inputs) * real(layer.outputs);
      return flop;
    case Kind::hidden_backward: {
      const double inputs = real(i.layers[0].inputs), hidden = real(i.layers[0].outputs),
                   outputs = real(i.layers[1].inputs);
      return 2 * rows * hidden * (3 * inputs + 2 * outputs + 0.5);
    }
    default: return 0;
  }
}

Cost cost_of_region(const Region& region, const Plan& plan) {
  Cost cost;
  for (const TileInstruction& i : region.instructions) {
    using Kind = TileInstruction::Kind;
    cost.flop += flop_of(i, real(region.rows));
    if ((i.kind == Kind::load || i.kind == Kind::store) && i.columns > 1)
      cost.turned += 4 * real(region.rows) * real(i.columns);
  }
  const std::vector<BufferId> buffers = buffers_of(region);
  for (BufferId buffer : std::set(buffers.begin(), buffers.end()))
    cost.bytes += 4 * static_cast<double>(plan.buffers[buffer].size);
  return cost;
}

std::string describe_instruction(const TileInstruction& i) {
  using Kind = TileInstruction::Kind;
  switch (i.kind) {
    case Kind::load: return fmt::format("load {}", i.columns);
    case Kind::store: return fmt::format("store {}", i.columns);
    case Kind::elementwise:
      return std::string(i.primitive->name) + (kernels::has_elementwise(i.primitive->name, i.dtype, i.result_dtype)
                                                   ? ""
                                                   : " (by its loop: it has no kernel)");
    case Kind::copy: return "copy";
    case Kind::zero: return "zero";
    case Kind::dense:
      return fmt::format("dense {}→{}{}{}", i.layers[0].inputs, i.layers[0].outputs, i.layers[0].relu ? " relu" : "",
                         i.right.empty() ? "" : " gated");
    case Kind::chain:
      return fmt::format("chain {}→{}→{}", i.layers[0].inputs, i.layers[0].outputs, i.layers[1].outputs);
    case Kind::hidden_backward:
      return fmt::format("backward {}→{}→{}", i.layers[0].inputs, i.layers[0].outputs, i.layers[1].inputs);
    case Kind::column_reduction: return fmt::format("{} of {}", i.primitive->name, i.inner);
    case Kind::row_sum: return fmt::format("row sum {}", i.columns);
    case Kind::row_max: return fmt::format("row max {}", i.columns);
    default: return fmt::format("outer {}×{}", i.inner, i.columns);
  }
}

std::string describe_region(const Region& region) {
  std::string text = fmt::format("region of {} rows, {} columns of scratch in tiles of {}:", region.rows,
                                 region.tile_columns, region.tile_rows);
  std::string last;
  int repeats = 0;
  auto flush = [&] {
    if (!last.empty()) text += " " + last + (repeats > 1 ? fmt::format("×{}", repeats) : "");
    last.clear();
    repeats = 0;
  };
  for (std::size_t k = 0; k < region.instructions.size(); ++k) {
    if (region.in_blocks(k) && k == region.blocks_begin) {
      flush();
      text += fmt::format(" {{{} columns in blocks of {}:", region.block_columns, region.block_rows);
    }
    const std::string next =
        describe_instruction(region.instructions[k]) + (region.instructions[k].to_memory ? " to memory" : "");
    if (next != last) flush();
    last = next;
    ++repeats;
    if (region.in_blocks(k) && k + 1 == region.blocks_end) {
      flush();
      text += " }";
    }
  }
  flush();
  return text;
}

std::string describe_copies(const Copies& copies) {
  std::string text = "copy";
  for (std::size_t i = 0, same = 1; i < copies.list.size(); i += same, same = 1) {
    const std::string shape = to_text(copies.list[i].from.shape);
    while (i + same < copies.list.size() && to_text(copies.list[i + same].from.shape) == shape) ++same;
    text += (i > 0 ? ", " : " ") + shape + (same > 1 ? fmt::format("×{}", same) : "");
  }
  return text;
}

}  // namespace

Cost cost_of(const Kernel& kernel, const Plan& plan) {
  auto bytes_of = [&](BufferId buffer) { return 4 * static_cast<double>(plan.buffers[buffer].size); };
  return std::visit(
      [&]<class K>(const K& k) -> Cost {
        if constexpr (std::is_same_v<K, Region>)
          return cost_of_region(k, plan);
        else if constexpr (std::is_same_v<K, Gemm>) {
          const double m = real(k.a.shape[0]), n = real(k.b.shape[1]), inner = real(k.b.shape[0]);
          const double count = real(element_count(k.batch));
          return {count * 2 * m * n * inner, count * 4 * (m * inner + inner * n + m * n)};
        } else if constexpr (std::is_same_v<K, Reduction>) {
          return {real(k.outer * k.reduced * k.inner), bytes_of(k.from) + bytes_of(k.to)};
        } else if constexpr (std::is_same_v<K, Copies>) {
          Cost cost;
          for (const Copies::Copy& copy : k.list) cost.bytes += 8 * real(copy.elements);
          return cost;
        } else if constexpr (std::is_same_v<K, Fill> || std::is_same_v<K, RandomBits>) {
          return {0, bytes_of(k.to)};
        } else if constexpr (std::is_same_v<K, Scan>) {
          Cost cost;
          for (const Kernel& step : k.body->kernels) {
            const Cost one = cost_of(step, *k.body);
            cost.flop += real(k.length) * one.flop;
            cost.bytes += real(k.length) * one.bytes;
            cost.turned += real(k.length) * one.turned;
          }
          return cost;
        } else {
          Cost cost{real(element_count(k.operation.type.shape)), bytes_of(k.to)};
          for (BufferId input : k.inputs) cost.bytes += bytes_of(input);
          return cost;
        }
      },
      kernel);
}

std::string describe(const Kernel& kernel) {
  return std::visit(
      []<class K>(const K& k) -> std::string {
        if constexpr (std::is_same_v<K, Region>)
          return describe_region(k);
        else if constexpr (std::is_same_v<K, Gemm>)
          return fmt::format("{}product {} × {}{}{}{}",
                             k.batch.empty() ? "" : fmt::format("{} times ", element_count(k.batch)),
                             to_text(k.a.shape), to_text(k.b.shape), k.has_bias ? ", bias" : "", k.relu ? ", relu" : "",
                             k.symmetric ? ", symmetric" : "") +
                 (k.gate ? ", gated" : "");
        else if constexpr (std::is_same_v<K, Reduction>)
          return fmt::format("{} over {} of [{}, {}, {}]", k.maximum ? "max" : "sum", k.reduced, k.outer, k.reduced,
                             k.inner);
        else if constexpr (std::is_same_v<K, Copies>)
          return describe_copies(k);
        else if constexpr (std::is_same_v<K, Fill>)
          return "fill with zeros";
        else if constexpr (std::is_same_v<K, RandomBits>)
          return "random bits";
        else if constexpr (std::is_same_v<K, Scan>) {
          std::string text = fmt::format("scan of {} steps{}, each:", k.length, k.reverse ? " from the end" : "");
          for (const Kernel& step : k.body->kernels) text += "\n      " + describe(step);
          return text;
        } else if (k.operation.primitive->direct)
          return fmt::format("{} {}", k.operation.primitive->name, to_text(k.operation.type));
        else
          return fmt::format("{} {} by the reference rule: it has no faster one", k.operation.primitive->name,
                             to_text(k.operation.type));
      },
      kernel);
}

}  // namespace lopt
