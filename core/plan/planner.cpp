// From a program to a plan: clusters, their order, what lies where.
#include "plan/clusters.h"
#include "plan/plan.h"
#include "plan/region.h"
#include "plan/scratch.h"
#include "plan/views.h"
#include "trace/scan_body.h"

#include <algorithm>
#include <map>
#include <optional>
#include <stdexcept>

namespace lopt {
namespace {

class Planner {
 public:
  Planner(const Program& program, const PlanOptions& options)
      : program_(program), options_(options), clusters_(find_clusters(program)), views_(program.operations.size()) {
    plan_.name = program.name;
    for (ValueId input : program.inputs) plan_.input_types.push_back(program.type(input));
    for (ValueId output : program.outputs) plan_.output_types.push_back(program.type(output));
    users_.resize(program.operations.size());
    for (ValueId i = 0; i < program.operations.size(); ++i)
      for (ValueId input : program.operations[i].inputs) users_[input].push_back(i);
    cluster_done_.resize(clusters_.members.size());
    scheduled_.resize(program.operations.size());
    stored_.resize(program.operations.size());
  }

  Plan run() {
    place_leaves();
    find_stored();
    place_outputs();
    for (ValueId value : program_.outputs) schedule(value);
    copy_outputs();
    place_arena(plan_);
    return std::move(plan_);
  }

 private:
  const Operation& operation(ValueId value) const { return program_.operations[value]; }
  bool same_cluster(ValueId a, ValueId b) const {
    return clusters_.of[a] != Clusters::none && clusters_.of[a] == clusters_.of[b];
  }

  BufferId new_buffer(Buffer::Place place, std::size_t size, std::uint32_t index = 0) {
    plan_.buffers.push_back({place, index, size, 0});
    return static_cast<BufferId>(plan_.buffers.size() - 1);
  }
  std::size_t size_of(ValueId value) const {
    return static_cast<std::size_t>(element_count(program_.type(value).shape));
  }

  void place_leaves() {
    for (std::uint32_t i = 0; i < program_.inputs.size(); ++i) {
      const ValueId value = program_.inputs[i];
      views_[value] = whole(new_buffer(Buffer::Place::input, size_of(value), i), program_.type(value).shape);
    }
    for (ValueId value = 0; value < program_.operations.size(); ++value)
      if (const auto* constant = std::get_if<Constant>(&operation(value).attributes)) {
        plan_.constants.push_back(constant->value);
        views_[value] = whole(
            new_buffer(Buffer::Place::constant, size_of(value), static_cast<std::uint32_t>(plan_.constants.size() - 1)),
            program_.type(value).shape);
      }
  }

  /// A view that takes no memory of its own. A slice of what its own region computes is stored as it is instead: the
  /// whole need not be.
  bool is_window(ValueId value) const {
    if (!is_view(operation(value))) return false;
    return operation(value).primitive->name != "slice" || !handed_over(value, operation(value).inputs[0]);
  }
  /// What a window looks at in the end.
  ValueId base_of(ValueId value) const {
    while (is_window(value)) value = operation(value).inputs[0];
    return value;
  }

  /// True if `reader` gets `input` inside the region that both are in, through views or not.
  bool handed_over(ValueId reader, ValueId input) const {
    for (;; input = operation(input).inputs[0]) {
      if (!same_cluster(reader, input)) return false;
      if (!is_view(operation(input))) return true;
    }
  }
  /// Values that must lie in memory: someone outside their region reads them. A view needs nothing itself, its readers
  /// do.
  void find_stored() {
    for (ValueId i = 0; i < program_.operations.size(); ++i)
      for (ValueId input : operation(i).inputs)
        if (!is_window(i) && !handed_over(i, input)) stored_[base_of(input)] = true;
    for (ValueId output : program_.outputs) stored_[base_of(output)] = true;
  }

  bool is_leaf(ValueId value) const { return operation(value).primitive->fusion == Fusion::leaf; }

  /// Outputs that are computed go where they are wanted at once.
  void place_outputs() {
    for (std::uint32_t i = 0; i < program_.outputs.size(); ++i) {
      const ValueId value = program_.outputs[i], base = base_of(value);
      output_buffers_.push_back(new_buffer(Buffer::Place::output, size_of(value), i));
      bool reshapes = true;
      for (ValueId at = value; at != base; at = operation(at).inputs[0])
        reshapes = reshapes && element_count(program_.type(at).shape) == element_count(program_.type(base).shape) &&
                   operation(at).primitive->name != "transpose";
      if (!reshapes || is_leaf(base) || buffer_of_.contains(base)) continue;
      buffer_of_[base] = output_buffers_.back();
      direct_output_[i] = true;
    }
  }
  void copy_outputs() {
    for (std::uint32_t i = 0; i < program_.outputs.size(); ++i)
      if (!direct_output_[i] && size_of(program_.outputs[i]) > 0)
        add_copies({copy_between(view_of(program_.outputs[i]),
                                 whole(output_buffers_[i], program_.type(program_.outputs[i]).shape))});
  }

  BufferId buffer_of(ValueId value) {
    auto [found, added] = buffer_of_.try_emplace(value, 0);
    if (added) found->second = new_buffer(Buffer::Place::arena, size_of(value));
    return found->second;
  }

  void add_copies(std::vector<Copies::Copy> list) { plan_.kernels.emplace_back(Copies{std::move(list)}); }

  View copy_of(const View& view) {
    const View to =
        whole(new_buffer(Buffer::Place::arena, static_cast<std::size_t>(element_count(view.shape))), view.shape);
    add_copies({copy_between(view, to)});
    return to;
  }

  /// Where a value lies that is made by now.
  View view_of(ValueId value) {
    if (views_[value]) return *views_[value];
    if (!is_window(value)) return *(views_[value] = whole(buffer_of(value), program_.type(value).shape));
    const View from = view_of(operation(value).inputs[0]);
    std::optional<View> result = applied(from, operation(value));
    if (!result) result = applied(copy_of(from), operation(value));
    return *(views_[value] = result);
  }
  BufferId contiguous(ValueId value) {
    const View view = view_of(value);
    return view.contiguous() && view.offset == 0 && plan_.buffers[view.buffer].size == size_of(value)
               ? view.buffer
               : copy_of(view).buffer;
  }

  /// Adds the kernel that makes a value, after the kernels that it needs.
  void schedule(ValueId wanted) {
    std::vector<std::pair<ValueId, bool>> pending{{wanted, false}};
    while (!pending.empty()) {
      auto [value, ready] = pending.back();
      pending.pop_back();
      if (auto found = clusters_.product_of.find(value); found != clusters_.product_of.end()) value = found->second;
      const std::uint32_t cluster = clusters_.of[value];
      if (is_leaf(value) || scheduled_[value] || (cluster != Clusters::none && cluster_done_[cluster])) continue;
      if (ready) {
        add_kernel(value);
        continue;
      }
      pending.emplace_back(value, true);
      if (cluster == Clusters::none) {
        for (ValueId input : operation(value).inputs) pending.emplace_back(input, false);
        if (auto found = clusters_.products.find(value); found != clusters_.products.end()) {
          if (found->second.has_bias) pending.emplace_back(found->second.bias, false);
          if (found->second.gate) pending.emplace_back(*found->second.gate, false);
        }
      } else {
        for (ValueId member : clusters_.members[cluster])
          for (ValueId input : operation(member).inputs)
            if (clusters_.of[input] != cluster) pending.emplace_back(input, false);
      }
    }
  }

  bool has_room(const Buffer& buffer) const {
    return buffer.place == Buffer::Place::arena ||
           (buffer.place == Buffer::Place::output && buffer.size > 1 && !options_.outputs_with_room.empty() &&
            options_.outputs_with_room[buffer.index]);
  }

  void add_kernel(ValueId value) {
    const std::uint32_t cluster = clusters_.of[value];
    if (cluster != Clusters::none) {
      cluster_done_[cluster] = true;
      const auto& members = clusters_.members[cluster];
      if (std::all_of(members.begin(), members.end(), [&](ValueId member) { return is_window(member); })) return;
      Region region = lower_region(
          {program_, clusters_, users_, [&](ValueId v) { return bool{stored_[v]}; },
           [&](ValueId v) { return buffer_of(v); }, [&](ValueId v) { return view_of(v); },
           [&](BufferId b) { return has_room(plan_.buffers[b]); }, [&](const View& view) { return copy_of(view); }},
          cluster);
      const auto words = static_cast<std::size_t>(region.scratch_words());
      plan_.scratch_bytes = std::max(plan_.scratch_bytes, (words * 4 + 63) / 64 * 64);
      std::size_t partial_bytes = 0;
      for (const TileInstruction& i : region.instructions)
        for (BufferId sum : sums_of(i)) partial_bytes += partial_size(plan_.buffers[sum]);
      plan_.partial_bytes = std::max(plan_.partial_bytes, partial_bytes * static_cast<std::size_t>(region.chunks));
      plan_.kernels.emplace_back(std::move(region));
      return;
    }
    scheduled_[value] = true;
    if (!is_window(value) && size_of(value) > 0) add_single(value);
  }

  /// A kernel for an operation that stands alone.
  void add_single(ValueId value) {
    const Operation& op = operation(value);
    const std::string_view name = op.primitive->name;
    if (op.primitive->fusion == Fusion::matmul && size_of(op.inputs[0]) > 0) return add_gemm(value);
    if (op.primitive->fusion == Fusion::products && size_of(op.inputs[0]) > 0) return add_products(value);
    if (op.primitive->fusion == Fusion::loop) return add_scan(value);
    if (op.primitive->fusion == Fusion::reduction && add_reduction(value)) return;
    if (name == "concatenate") return add_concatenation(value);
    if (name == "pad") {
      plan_.kernels.emplace_back(Fill{buffer_of(value)});
      if (size_of(op.inputs[0]) > 0) add_copies({placed(op.inputs[0], value, std::get<Padding>(op.attributes).before)});
      return;
    }
    if (name == "random_bits") {
      plan_.kernels.emplace_back(RandomBits{view_of(op.inputs[0]), buffer_of(value)});
      return;
    }
    Fallback fallback{op, {}, {}, 0};
    for (ValueId input : op.inputs) {
      fallback.types.push_back(program_.type(input));
      fallback.inputs.push_back(contiguous(input));
    }
    fallback.to = buffer_of(value);
    plan_.kernels.emplace_back(std::move(fallback));
  }

  /// The factors of a product, of the last two dimensions.
  Gemm factors(const Operation& op) {
    const Transposed t = std::get<Transposed>(op.attributes);
    auto last_two = [](View view, bool transposed, Shape& batch_strides) {
      const auto split = static_cast<std::ptrdiff_t>(view.shape.size()) - 2;
      batch_strides.assign(view.strides.begin(), view.strides.begin() + split);
      view.shape.erase(view.shape.begin(), view.shape.begin() + split);
      view.strides.erase(view.strides.begin(), view.strides.begin() + split);
      if (transposed) {
        std::swap(view.shape[0], view.shape[1]);
        std::swap(view.strides[0], view.strides[1]);
      }
      return view;
    };
    Gemm gemm;
    gemm.a = last_two(view_of(op.inputs[0]), t.a, gemm.a_batch);
    gemm.b = last_two(view_of(op.inputs[1]), t.b, gemm.b_batch);
    gemm.batch.assign(op.type.shape.begin(), op.type.shape.end() - 2);
    gemm.symmetric = gemm.a.buffer == gemm.b.buffer && gemm.a.offset == gemm.b.offset && gemm.a_batch == gemm.b_batch &&
                     gemm.a.shape[0] == gemm.b.shape[1] && gemm.a.strides[0] == gemm.b.strides[1] &&
                     gemm.a.strides[1] == gemm.b.strides[0];
    return gemm;
  }
  void add_products(ValueId value) {
    Gemm gemm = factors(operation(value));
    gemm.c = buffer_of(value);
    plan_.kernels.emplace_back(std::move(gemm));
  }

  void add_scan(ValueId value) {
    const Operation& op = operation(value);
    const ScanBody& body = *std::get<Loop>(op.attributes).body;
    const ScanLayout layout(body);
    const Program program = make_program("step of a scan", body.inputs(), body.outputs());
    Scan scan{.body = std::make_shared<const Plan>(make_plan(program)),
              .carries = body.carry.size(),
              .sequences = body.slices.size(),
              .stacked = body.stacked.size(),
              .length = body.length,
              .reverse = body.reverse,
              .counted = body.counted};
    for (ValueId input : op.inputs) {
      const View view = view_of(input);
      scan.inputs.push_back(view.contiguous() ? view : copy_of(view));
    }
    scan.to = buffer_of(value);
    for (const auto* starts : {&layout.states, &layout.stacked, &layout.summed})
      scan.starts.insert(scan.starts.end(), starts->begin(), starts->end());
    for (const auto& types : {scan.body->input_types, scan.body->output_types})
      for (const Type& type : types) scan.sizes.push_back(element_count(type.shape));
    std::int64_t summed = 0;
    for (const Tensor& sum : body.summed) summed += element_count(sum.shape());
    scan.partial = new_buffer(Buffer::Place::arena, static_cast<std::size_t>(summed));
    plan_.kernels.emplace_back(std::move(scan));
  }

  /// A transposed factor whose rows of elements lie pages apart, wanted for so many columns that a copy is little: a
  /// weight's gradient in a wide model.
  static bool is_far_apart(const Gemm& gemm) {
    constexpr std::int64_t many = 256, far = 512;  // rows and columns; elements
    return gemm.a.strides[0] == 1 && gemm.a.strides[1] >= far && gemm.a.shape[0] >= many && gemm.b.shape[1] >= many;
  }

  void add_gemm(ValueId value) {
    const Operation& op = operation(value);
    Gemm gemm = factors(op);
    if (is_far_apart(gemm)) gemm.a = copy_of(gemm.a);
    const ProductEnd& end = clusters_.products.at(value);
    gemm.c = buffer_of(end.end);
    gemm.relu = end.relu;
    gemm.has_bias = end.has_bias;
    if (end.has_bias) {
      const View rows = view_of(end.bias);
      gemm.bias = {rows.buffer, rows.offset, {rows.shape[1]}, {rows.strides[1]}};
      if (!gemm.bias.contiguous()) gemm.bias = copy_of(gemm.bias);
    }
    if (end.gate) {
      const View gate = view_of(*end.gate);
      gemm.gate = gate.contiguous() ? gate : copy_of(gate);
    }
    plan_.kernels.emplace_back(std::move(gemm));
  }

  bool add_reduction(ValueId value) {
    const Operation& op = operation(value);
    const auto& axes = std::get<Axes>(op.attributes).axes;
    const Shape& shape = program_.type(op.inputs[0]).shape;
    if (axes.back() - axes.front() + 1 != static_cast<int>(axes.size()) || size_of(op.inputs[0]) == 0) return false;
    Reduction reduction{.maximum = op.primitive->name == "max",
                        .dtype = op.type.dtype,
                        .from = contiguous(op.inputs[0]),
                        .to = buffer_of(value)};
    for (int i = 0; i < static_cast<int>(shape.size()); ++i)
      (i < axes.front()   ? reduction.outer
       : i <= axes.back() ? reduction.reduced
                          : reduction.inner) *= shape[static_cast<std::size_t>(i)];
    plan_.kernels.emplace_back(reduction);
    return true;
  }

  /// From a value to its place inside a larger one.
  Copies::Copy placed(ValueId from, ValueId into, const Shape& start) {
    View to = whole(buffer_of(into), program_.type(into).shape);
    for (std::size_t i = 0; i < start.size(); ++i) to.offset += start[i] * to.strides[i];
    to.shape = program_.type(from).shape;
    return copy_between(view_of(from), to);
  }
  void add_concatenation(ValueId value) {
    const auto axis = static_cast<std::size_t>(std::get<Axes>(operation(value).attributes).axes[0]);
    Shape start(program_.type(value).shape.size(), 0);
    std::vector<Copies::Copy> parts;
    for (ValueId input : operation(value).inputs) {
      if (size_of(input) > 0) parts.push_back(placed(input, value, start));
      start[axis] += program_.type(input).shape[axis];
    }
    add_copies(std::move(parts));
  }

  const Program& program_;
  PlanOptions options_;
  Clusters clusters_;
  Plan plan_;
  std::vector<std::optional<View>> views_;
  std::vector<std::vector<ValueId>> users_;
  std::vector<bool> stored_, scheduled_, cluster_done_;
  std::map<ValueId, BufferId> buffer_of_;
  std::vector<BufferId> output_buffers_;
  std::map<std::uint32_t, bool> direct_output_;
};

}  // namespace

Plan make_plan(const Program& program, const PlanOptions& options) { return Planner(program, options).run(); }

}  // namespace lopt
