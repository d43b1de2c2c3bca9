#include "plan/region.h"

#include "plan/direct_stores.h"
#include "plan/gated_layers.h"
#include "plan/hidden_backward.h"
#include "plan/instruction_order.h"
#include "plan/scratch.h"
#include "plan/sequences.h"
#include "plan/tile_value.h"

#include <algorithm>
#include <optional>
#include <set>
#include <stdexcept>

namespace lopt {
namespace {

using Kind = TileInstruction::Kind;

class Lowering {
 public:
  Lowering(const RegionContext& context, std::uint32_t cluster) : context_(context), cluster_(cluster) {
    region_.rows = context.clusters.rows[cluster];
  }

  Region run() {
    region_.operations = context_.clusters.members[cluster_];
    for (ValueId value : region_.operations)
      if (!done_.contains(value)) lower(value);
    fuse_hidden_backward(region_);
    fuse_gates(region_);
    order_instructions(region_, group_columns_);
    store_directly(region_, context_.has_room);
    join_elementwise(region_);
    assign_scratch(region_, group_columns_);
    return std::move(region_);
  }

 private:
  const Operation& operation(ValueId value) const { return context_.program.operations[value]; }
  bool inside(ValueId value) const { return context_.clusters.of[value] == cluster_; }
  std::int64_t width_of(ValueId value) const {
    return element_count(context_.program.type(value).shape) / region_.rows;
  }

  std::uint32_t new_group(std::int64_t columns) {
    group_columns_.push_back(columns);
    return static_cast<std::uint32_t>(group_columns_.size() - 1);
  }
  TileValue all_columns(std::uint32_t group) const {
    TileValue value;
    for (std::int64_t i = 0; i < group_columns_[group]; ++i)
      value.push_back({.kind = TileOperand::Kind::tile, .group = group, .at = i});
    return value;
  }
  TileInstruction& emit(Kind kind, std::vector<TileOperand> operands, std::int64_t columns) {
    TileInstruction instruction;
    instruction.kind = kind;
    instruction.operands = std::move(operands);
    instruction.columns = columns;
    region_.instructions.push_back(std::move(instruction));
    return region_.instructions.back();
  }
  /// An instruction with a result group of its own.
  TileInstruction& emit_result(Kind kind, std::vector<TileOperand> operands, std::int64_t columns) {
    TileInstruction& instruction = emit(kind, std::move(operands), columns);
    instruction.group = new_group(columns);
    return instruction;
  }
  TileValue emit_layers(std::vector<TileOperand> x, std::vector<DenseLayer> layers) {
    TileInstruction& instruction =
        emit_result(layers.size() == 2 ? Kind::chain : Kind::dense, std::move(x), layers.back().outputs);
    instruction.layers = std::move(layers);
    return all_columns(instruction.group);
  }

  /// Columns whose elements lie far from each other, so many that a copy, which goes by blocks, costs less than to
  /// gather them: a matrix that is seen transposed.
  bool is_scattered(const RowsAndColumns& split) const {
    constexpr std::int64_t many_rows = 1024, line = 16;  // elements
    const std::int64_t stride = split.rows.strides.empty() ? 0 : split.rows.strides.back();
    return split.columns.size() == 1 && region_.rows >= many_rows && std::abs(stride) >= line;
  }

  /// A value that lies in memory when the region starts.
  TileValue external(ValueId value) {
    if (auto found = external_.find(value); found != external_.end()) return found->second;
    View view = context_.view_of(value);
    std::optional<RowsAndColumns> split = split_rows(view, region_.rows);
    if (!split || is_scattered(*split)) {
      view = context_.contiguous_copy(view);
      split = split_rows(view, region_.rows);
    }
    TileValue result;
    if (split->uniform() || split->stream()) {
      const auto kind = split->uniform() ? TileOperand::Kind::uniform : TileOperand::Kind::stream;
      for (const std::int64_t element : split->columns)
        result.push_back({.kind = kind, .buffer = view.buffer, .at = element});
    } else {
      result = loaded(view.buffer, std::move(*split));
    }
    return external_[value] = result;
  }

  /// Columns from memory; the same ones are loaded once.
  TileValue loaded(BufferId buffer, RowsAndColumns split) {
    for (const TileInstruction& i : region_.instructions)
      if (i.kind == Kind::load && i.buffer == buffer && i.offsets == split.columns &&
          i.rows.lengths == split.rows.lengths && i.rows.strides == split.rows.strides)
        return all_columns(i.group);
    TileInstruction& load = emit_result(Kind::load, {}, static_cast<std::int64_t>(split.columns.size()));
    load.buffer = buffer;
    load.offsets = std::move(split.columns);
    load.rows = std::move(split.rows);
    return all_columns(load.group);
  }

  /// A value that is computed here, or lies in memory.
  TileValue value_of(ValueId value) {
    if (auto found = computed_.find(value); found != computed_.end()) return found->second;
    if (auto found = hidden_.find(value); found != hidden_.end())
      return computed_[value] = emit_layers(found->second.x, {found->second.layer});
    if (is_inside(value)) return value_of(operation(value).inputs[0]);  // a reshape, made when it is asked for
    return external(value);
  }

  /// As one operand: its columns evenly apart, copied together where they are not.
  TileOperand operand(const TileValue& value) {
    if (const auto even = even_operand(value)) return *even;
    return *even_operand(copied(value));
  }
  TileOperand operand_of(ValueId value) {
    const TileValue& columns = value_of(value);
    if (const auto even = even_operand(columns)) return *even;
    return *even_operand(computed_[value] = copied(columns));
  }
  /// As the columns of a layer's input: one operand where they lie evenly apart, else one for each.
  std::vector<TileOperand> layer_input(ValueId value) {
    const TileValue columns = in_tile(value_of(value));
    if (const auto even = even_operand(columns)) return {*even};
    std::vector<TileOperand> result;
    for (const Column& column : columns) result.push_back(*even_operand({column}));
    return result;
  }

  /// Columns copied beside each other.
  TileValue copied(const TileValue& columns) {
    const std::uint32_t group = new_group(static_cast<std::int64_t>(columns.size()));
    for (std::size_t i = 0; i < columns.size(); ++i) {
      TileInstruction& copy = emit(Kind::copy, {*even_operand({columns[i]})}, 1);
      copy.group = group;
      copy.inner = static_cast<std::int64_t>(i);  // where in the group
    }
    return all_columns(group);
  }

  /// With columns of scratch where there were uniform values.
  TileValue in_tile(TileValue value) {
    for (Column& column : value)
      if (column.kind == TileOperand::Kind::uniform) column = copied({column})[0];
    return value;
  }

  /// Made here, and not a window on memory.
  bool is_inside(ValueId value) const { return inside(value) && !windows_.contains(value); }

  void finish(ValueId value, TileValue tile) {
    if (context_.is_stored(value)) {
      TileInstruction& store = emit(Kind::store, {operand(tile)}, static_cast<std::int64_t>(tile.size()));
      store.buffer = context_.buffer_of(value);
    }
    computed_[value] = std::move(tile);
    done_[value] = true;
  }

  void lower(ValueId value) {
    const Operation& op = operation(value);
    switch (op.primitive->fusion) {
      case Fusion::elementwise: return lower_elementwise(value);
      case Fusion::reduction: return lower_reduction(value);
      case Fusion::matmul: return std::get<Transposed>(op.attributes).a ? lower_outer(value) : lower_dense(value);
      default: return lower_columns(value);
    }
  }

  void lower_elementwise(ValueId value) {
    const Operation& op = operation(value);
    std::vector<TileOperand> operands;
    for (ValueId input : op.inputs) operands.push_back(operand_of(input));
    TileInstruction& instruction = emit_result(Kind::elementwise, std::move(operands), width_of(value));
    instruction.primitive = op.primitive;
    instruction.dtype = context_.program.type(op.inputs.back()).dtype;
    instruction.result_dtype = op.type.dtype;
    finish(value, all_columns(instruction.group));
  }

  void lower_reduction(ValueId value) {
    const Operation& op = operation(value);
    TileValue x = value_of(op.inputs[0]);
    const bool terminal = context_.clusters.roles[value].terminal;
    const bool to_one = !terminal || op.type.shape.empty() || element_count(op.type.shape) == 1;
    if (to_one && x.size() > 1) {
      TileInstruction& reduction = emit_result(Kind::column_reduction, {operand(in_tile(x))}, 1);
      reduction.inner = static_cast<std::int64_t>(x.size());
      reduction.primitive = op.primitive;
      x = all_columns(reduction.group);
    }
    if (!terminal) return finish(value, in_tile(x));
    emit_terminal(op.primitive->name == "sum" ? Kind::row_sum : Kind::row_max, value, {operand(in_tile(x))},
                  static_cast<std::int64_t>(x.size()), 1);
  }

  void emit_terminal(Kind kind, ValueId value, std::vector<TileOperand> operands, std::int64_t columns,
                     std::int64_t inner, std::vector<TileOperand> right = {}) {
    if (context_.is_stored(value)) {
      TileInstruction& instruction = emit(kind, std::move(operands), columns);
      instruction.inner = inner;
      instruction.right = std::move(right);
      instruction.buffer = context_.buffer_of(value);
    }
    done_[value] = true;
  }

  void lower_outer(ValueId value) {
    const Operation& op = operation(value);
    std::vector<TileOperand> a = layer_input(op.inputs[0]), b = layer_input(op.inputs[1]);
    emit_terminal(Kind::outer, value, std::move(a), op.type.shape[1], op.type.shape[0], std::move(b));
  }

  /// The one operation that uses a value, here and nowhere else, seen through reshapes.
  std::optional<ValueId> sole_user(ValueId value) const {
    for (;;) {
      if (context_.is_stored(value) || context_.users[value].size() != 1) return std::nullopt;
      const ValueId user = context_.users[value][0];
      if (!inside(user)) return std::nullopt;
      if (operation(user).primitive->name != "reshape") return user;
      value = user;
    }
  }
  /// True if `input`, seen through reshapes, is `value`.
  bool is_same(ValueId input, ValueId value) const {
    while (input != value && operation(input).primitive->name == "reshape") input = operation(input).inputs[0];
    return input == value;
  }

  /// A dense layer with the bias and activation that follow it. `value` becomes the value at the layer's end.
  DenseLayer take_layer(ValueId& value) {
    const Operation& op = operation(value);
    const View weights = context_.view_of(op.inputs[1]);
    const bool transposed = std::get<Transposed>(op.attributes).b;
    DenseLayer layer{.weights = weights.buffer,
                     .offset = weights.offset,
                     .row_stride = weights.strides[transposed ? 1 : 0],
                     .column_stride = weights.strides[transposed ? 0 : 1],
                     .inputs = weights.shape[transposed ? 1 : 0],
                     .outputs = weights.shape[transposed ? 0 : 1],
                     .bias = {}};
    if (auto user = sole_user(value); user && operation(*user).primitive->name == "add") {
      const auto& in = operation(*user).inputs;
      const ValueId other = is_same(in[0], value) ? in[1] : in[0];
      if (!is_same(other, value) && !inside(other)) {
        const auto bias = even_operand(external(other));
        if (bias && bias->kind == TileOperand::Kind::uniform) {
          layer.bias = *bias;
          layer.has_bias = true;
          mark_done(value, *user);
          value = *user;
        }
      }
    }
    if (auto user = sole_user(value); user && operation(*user).primitive->name == "relu") {
      layer.relu = true;
      mark_done(value, *user);
      value = *user;
    }
    return layer;
  }
  /// The operations from `from` up to, without, `to` are part of a fused instruction.
  void mark_done(ValueId from, ValueId to) {
    for (ValueId value = from; value != to; value = context_.users[value][0]) done_[value] = true;
  }

  /// A layer of few outputs that takes `value` in, directly or reshaped.
  std::optional<ValueId> narrow_layer_on(ValueId value) const {
    for (ValueId user : context_.users[value]) {
      if (!inside(user)) continue;
      const Operation& op = operation(user);
      if (op.primitive->name == "reshape") {
        if (auto found = narrow_layer_on(user)) return found;
      } else if (op.primitive->fusion == Fusion::matmul && !std::get<Transposed>(op.attributes).a &&
                 is_same(op.inputs[0], value) && !inside(op.inputs[1]) && op.type.shape[1] <= 4) {
        return user;
      }
    }
    return std::nullopt;
  }

  /// A layer, or two with the hidden columns in registers. What else needs the hidden columns computes them again.
  void lower_dense(ValueId value) {
    constexpr std::int64_t most_inputs = 3;
    const std::vector<TileOperand> x = layer_input(operation(value).inputs[0]);
    ValueId end = value;
    std::vector<DenseLayer> layers{take_layer(end)};
    const auto next = narrow_layer_on(end);
    if (next && !context_.is_stored(end) && layers[0].inputs <= most_inputs) {
      if (!sole_user(end)) hidden_[end] = {x, layers[0]};
      done_[end] = true;
      end = *next;
      layers.push_back(take_layer(end));
    }
    finish(end, emit_layers(x, std::move(layers)));
  }

  /// Operations that move columns: each result column is a column of an input, or zero.
  void lower_columns(ValueId value) {
    const Operation& op = operation(value);
    const std::string_view name = op.primitive->name;
    const bool from_inside =
        std::any_of(op.inputs.begin(), op.inputs.end(), [&](ValueId input) { return is_inside(input); });
    if (is_view(op) && !from_inside) windows_.insert(value);
    if ((is_view(op) && !from_inside) || name == "reshape") {
      done_[value] = true;
      return;
    }
    std::vector<TileValue> inputs;
    for (ValueId input : op.inputs) inputs.push_back(value_of(input));
    TileValue columns;
    for (std::int64_t column = 0; column < width_of(value); ++column) {
      const std::optional<ElementSource> from = source_of(context_.program, op, column);
      columns.push_back(from ? inputs[from->input][static_cast<std::size_t>(from->element)] : zero_column());
    }
    finish(value, std::move(columns));
  }

  Column zero_column() {
    if (!zero_group_) zero_group_ = emit_result(Kind::zero, {}, 1).group;
    return all_columns(*zero_group_)[0];
  }

  const RegionContext& context_;
  std::uint32_t cluster_;
  Region region_;
  std::vector<std::int64_t> group_columns_;
  std::map<ValueId, TileValue> computed_, external_;
  std::map<ValueId, bool> done_;
  std::set<ValueId> windows_;  // views of values that lie in memory
  struct Hidden {
    std::vector<TileOperand> x;
    DenseLayer layer;
  };
  std::map<ValueId, Hidden> hidden_;  // layers whose columns are computed when they are asked for
  std::optional<std::uint32_t> zero_group_;
};

}  // namespace

Region lower_region(const RegionContext& context, std::uint32_t cluster) { return Lowering(context, cluster).run(); }

}  // namespace lopt
